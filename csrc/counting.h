/* What is in use under memcheck, as csrc/counting_*.c counts it. */
#ifndef PVG_COUNTING_H
#define PVG_COUNTING_H

/* Bytes: of blocks as they were asked for, and of anonymous mappings. */
typedef struct {
    unsigned long long bytes;         /* of the process now */
    unsigned long long peak_bytes;    /* at most since the last reset */
    long long thread_bytes;           /* blocks that the calling thread made, less those it freed */
    long long thread_peak_bytes;
    unsigned long long heap_bytes;    /* of blocks alone, now */
    unsigned long long blocks;
} pvg_counts;

/* Whether anybody counts in this process. */
int pvg_is_counted(void);

/* All 0 if nobody does. */
pvg_counts pvg_counts_now(void);

/* Takes what is in use now for the most so far: of the process, and of the calling thread. */
void pvg_reset_counted_peaks(void);

#endif
