"""What memcheck reports that is nobody's defect."""
