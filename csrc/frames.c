#include "frames.h"

#include "digits.h"

/* A number has two digits, and each digit's value a function of its own, whose
   name valgrind prints: pvg_high_03 calling pvg_low_17 is number 0317 (octal).
   128 functions make 4,096 numbers. */
enum { DIGIT_VALUES = 64 };

typedef void *(*digit)(pvg_work work, void *argument);
typedef void *(*outer_digit)(digit inner, pvg_work work, void *argument);

#define LOW(VALUE)                                                            \
    FRAME void *pvg_low_##VALUE(pvg_work work, void *argument);               \
    FRAME void *pvg_low_##VALUE(pvg_work work, void *argument)                \
    {                                                                         \
        void *result = work(argument);                                        \
        STAY(0##VALUE);                                                       \
        return result;                                                        \
    }
#define HIGH(VALUE)                                                           \
    FRAME void *pvg_high_##VALUE(digit inner, pvg_work work, void *argument); \
    FRAME void *pvg_high_##VALUE(digit inner, pvg_work work, void *argument)  \
    {                                                                         \
        void *result = inner(work, argument);                                 \
        STAY(0##VALUE);                                                       \
        return result;                                                        \
    }
#define LOW_NAME(VALUE) pvg_low_##VALUE,
#define HIGH_NAME(VALUE) pvg_high_##VALUE,

#define ALL(OF)                                                               \
    EIGHT(OF, 0) EIGHT(OF, 1) EIGHT(OF, 2) EIGHT(OF, 3)                       \
    EIGHT(OF, 4) EIGHT(OF, 5) EIGHT(OF, 6) EIGHT(OF, 7)

ALL(LOW)
ALL(HIGH)
static const digit low[DIGIT_VALUES] = {ALL(LOW_NAME)};
static const outer_digit high[DIGIT_VALUES] = {ALL(HIGH_NAME)};

/* Where valgrind's unwinder stops: the return address is undefined, and what it
   tries then, the frame pointer and the top of the stack, are both zero
   (m_stacktrace.c in its source). The stack of an allocation ends with the test
   rather than with main(), which makes it half as long, and unwinding is a
   tenth of a run's time. On other processors the stack goes on. */
void *pvg_edge(digit inner, pvg_work work, void *argument, outer_digit outer);

#define EDGE(RETURN_ADDRESS, CALL)                                            \
    __asm__(                                                                  \
        ".pushsection .text\n"                                                \
        ".globl pvg_edge\n"                                                   \
        ".hidden pvg_edge\n"                                                  \
        ".type pvg_edge, %function\n"                                         \
        "pvg_edge:\n"                                                         \
        "    .cfi_startproc\n"                                                \
        "    .cfi_undefined " RETURN_ADDRESS "\n"                             \
        CALL                                                                  \
        "    ret\n"                                                           \
        "    .cfi_endproc\n"                                                  \
        ".size pvg_edge, . - pvg_edge\n"                                      \
        ".popsection\n")

#if defined(__x86_64__)
EDGE("rip",
     "    push %rbp\n"
     "    xor %ebp, %ebp\n"
     "    push $0\n" /* twice, as the stack is aligned to 16 bytes */
     "    push $0\n"
     "    call *%rcx\n"
     "    add $16, %rsp\n"
     "    pop %rbp\n");
#elif defined(__aarch64__)
EDGE("x30",
     "    stp x29, x30, [sp, #-16]!\n"
     "    mov x29, #0\n"
     "    blr x3\n"
     "    ldp x29, x30, [sp], #16\n");
#else
FRAME void *
pvg_edge(digit inner, pvg_work work, void *argument, outer_digit outer)
{
    void *result = outer(inner, work, argument);
    STAY(-1);
    return result;
}
#endif

/* The frame of what runs between two tests: a number without digits. */
FRAME void *pvg_between(digit unused, pvg_work work, void *argument);
FRAME void *
pvg_between(digit unused, pvg_work work, void *argument)
{
    (void)unused;
    void *result = work(argument);
    STAY(-2);
    return result;
}

int
pvg_numbers(void)
{
    return DIGIT_VALUES * DIGIT_VALUES;
}

void *
pvg_inside_test(int number, pvg_work work, void *argument)
{
    unsigned digits = (unsigned)number % (DIGIT_VALUES * DIGIT_VALUES);
    return pvg_edge(low[digits % DIGIT_VALUES], work, argument, high[digits / DIGIT_VALUES]);
}

void *
pvg_inside_thread(int number, pvg_work work, void *argument)
{
    unsigned digits = (unsigned)number % (DIGIT_VALUES * DIGIT_VALUES);
    return high[digits / DIGIT_VALUES](low[digits % DIGIT_VALUES], work, argument);
}

void *
pvg_outside_tests(pvg_work work, void *argument)
{
    return pvg_edge(low[0], work, argument, pvg_between);
}
