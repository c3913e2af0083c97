"""The run as files: JSON, SARIF, HTML, and the annotations of GitHub."""
