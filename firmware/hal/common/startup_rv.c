/* startup_rv.c: reset and trap entry of a RISC-V core in machine mode. Empty elsewhere.
 *
 * The boot ROM jumps to the first instruction of the code region. No interrupt is ever enabled;
 * whatever traps is a fault. Harts but the first wait for ever.
 * CSRs and causes: RISC-V Instruction Set Manual, volume II (privileged architecture). */
#include "nb_boot.h"

#if defined(__riscv) && !defined(__unix__)

#define STRING_OF(text) #text
#define STRING(macro) STRING_OF(macro)
#define MSTATUS_FS 0x6000
#define PAINT 0xA5A5A5A5

#define CAUSE_FETCH_MISALIGNED 0u
#define CAUSE_FETCH_ACCESS 1u
#define CAUSE_ILLEGAL 2u
#define CAUSE_BREAKPOINT 3u
#define CAUSE_LOAD_MISALIGNED 4u
#define CAUSE_LOAD_ACCESS 5u
#define CAUSE_STORE_MISALIGNED 6u
#define CAUSE_STORE_ACCESS 7u
#define CAUSE_FETCH_PAGE 12u
#define CAUSE_LOAD_PAGE 13u
#define CAUSE_STORE_PAGE 15u

_Static_assert(PAINT == NB_STACK_PAINT, "as text, for the assembler");

extern uint32_t _nb_data_load[], _nb_data_start[], _nb_data_end[], _nb_bss_start[], _nb_bss_end[];

_Noreturn void nb_reset_handler(void);
void nb_trap_entry(void);
/* Called from assembly only. */
_Noreturn __attribute__((used)) void nb_start(void);
_Noreturn __attribute__((used)) void nb_fault_rv(uintptr_t ra);

/* Interrupts off, traps to us, FPU before the compiler uses it, stack paint; then C. */
/* clang-format off */
__attribute__((naked, section(".nb_vectors"))) _Noreturn void nb_reset_handler(void)
{
    __asm volatile("csrci mstatus, 8\n"
                   "csrw mie, zero\n"
                   "la t0, nb_trap_entry\n"
                   "csrw mtvec, t0\n"
                   "csrr t0, mhartid\n"
                   "beqz t0, 2f\n"
                   "1: wfi\n"
                   "j 1b\n"
                   "2:\n"
#ifdef __riscv_flen
                   "li t0, " STRING(MSTATUS_FS) "\n"
                   "csrs mstatus, t0\n"
                   "fscsr zero\n"
#endif
                   "la sp, _nb_stack_top\n"
                   "la t0, _nb_stack_limit\n"
                   "li t1, " STRING(PAINT) "\n"
                   "3: sw t1, 0(t0)\n"
                   "addi t0, t0, 4\n"
                   "bne t0, sp, 3b\n"
                   "j nb_start\n");
}
/* clang-format on */

_Noreturn void nb_start(void)
{
    const uint32_t *from = _nb_data_load;
    for (uint32_t *to = _nb_data_start; to != _nb_data_end; to++) {
        *to = *from++;
    }
    /* volatile: no call of memset, which the image then need not carry */
    for (volatile uint32_t *to = _nb_bss_start; to != _nb_bss_end; to++) {
        *to = 0;
    }
    nb_main();
}

/* The stack below is kept while there is room on it, else given up. */
__attribute__((naked, aligned(4))) void nb_trap_entry(void)
{
    __asm volatile("la t0, _nb_stack_limit + 256\n"
                   "la t1, _nb_stack_top\n"
                   "bltu sp, t0, 1f\n"
                   "bleu sp, t1, 2f\n"
                   "1: mv sp, t1\n"
                   "2: andi sp, sp, -16\n"
                   "mv a0, ra\n"
                   "j nb_fault_rv\n");
}

static uintptr_t cause(void)
{
    uintptr_t value;
    __asm volatile("csrr %0, mcause" : "=r"(value));
    return value;
}

_Noreturn void nb_fault_rv(uintptr_t ra)
{
    static nb_fault fault; /* all zero, and not on a stack that may be short */
    const uintptr_t number = cause();
    fault.lr = ra;
    fault.psr = (uint32_t)number;
    __asm volatile("csrr %0, mepc" : "=r"(fault.pc));
    switch (number) {
    case CAUSE_ILLEGAL:
    case CAUSE_BREAKPOINT:
    case CAUSE_FETCH_MISALIGNED:
        fault.kind = NB_FAULT_USAGE;
        break;
    case CAUSE_FETCH_ACCESS:
    case CAUSE_LOAD_ACCESS:
    case CAUSE_STORE_ACCESS:
        fault.kind = NB_FAULT_BUS;
        break;
    case CAUSE_LOAD_MISALIGNED:
    case CAUSE_STORE_MISALIGNED:
    case CAUSE_FETCH_PAGE:
    case CAUSE_LOAD_PAGE:
    case CAUSE_STORE_PAGE:
        fault.kind = NB_FAULT_MEM;
        break;
    default:
        break;
    }
    if (fault.kind == NB_FAULT_BUS || fault.kind == NB_FAULT_MEM) {
        __asm volatile("csrr %0, mtval" : "=r"(fault.addr));
    }
    nb_fault_report(&fault);
}

#endif
