/* startup_m.c: reset, vectors and fault entry of every Cortex-M. Empty elsewhere.
 *
 * No interrupt is ever enabled, and PRIMASK keeps out what a boot loader may have left enabled, so
 * the table ends after the system exceptions. Configurable faults stay disabled and so arrive as
 * HardFault; CFSR tells what they were.
 *
 * NB_EARLY_STORE (a board's define): an address that must be written with 0 before RAM is used.
 * NB_FIRST_CORE: the part starts on another core; nb_first_core is called before anything else, by
 * whichever core is here, without a stack, and returns on the one that goes on. */
#include "nb_boot.h"

#if defined(__ARM_ARCH_PROFILE) && __ARM_ARCH_PROFILE == 'M'

#define STRING_OF(text) #text
#define STRING(macro) STRING_OF(macro)
#define REGISTER(address) (*(volatile uint32_t *)(address))
#define SCB_VTOR 0xE000ED08u
#define SCB_CCR 0xE000ED14u
#define SCB_CFSR 0xE000ED28u
#define SCB_HFSR 0xE000ED2Cu
#define SCB_MMFAR 0xE000ED34u
#define SCB_BFAR 0xE000ED38u
#define CCR_LOB (1u << 19)

extern const uint32_t nb_vectors[16];
extern uint32_t _nb_data_load[], _nb_data_start[], _nb_data_end[], _nb_bss_start[], _nb_bss_end[];

_Noreturn void nb_reset_handler(void);
void nb_fault_handler(void);
/* Called from assembly only. */
_Noreturn __attribute__((used)) void nb_start(void);
_Noreturn __attribute__((used)) void nb_fault_m(const uint32_t *frame);

__asm(".section .nb_vectors,\"a\",%progbits\n"
      ".balign 128\n"
      ".global nb_vectors\n"
      ".type nb_vectors, %object\n"
      "nb_vectors:\n"
      ".word _nb_stack_top\n"
      ".word nb_reset_handler\n"
      ".rept 6\n"
      ".word nb_fault_handler\n"
      ".endr\n"
      ".word 0, 0, 0\n" /* reserved by the architecture; some boot ROMs read an image header here */
      ".word nb_fault_handler, nb_fault_handler\n"
      ".word 0\n"
      ".word nb_fault_handler, nb_fault_handler\n"
      ".size nb_vectors, .-nb_vectors\n"
      ".text\n");

/* Main stack in thread mode, its pointer (a debugger may have left another) and limit, FPU and MVE
 * before the compiler uses them, stack paint; then C. */
/* clang-format off */
__attribute__((naked)) _Noreturn void nb_reset_handler(void)
{
    __asm volatile(
        "cpsid i\n"
#ifdef NB_FIRST_CORE
        "bl nb_first_core\n"
#endif
        "movs r0, #0\n"
        "msr control, r0\n"
        "isb\n"
#if __ARM_ARCH >= 8
        "msr msplim, r0\n"
        "msr psplim, r0\n"
#endif
#ifdef NB_EARLY_STORE
        "ldr r1, =" STRING(NB_EARLY_STORE) "\n"
        "str r0, [r1]\n"
        "dsb\n"
#endif
        "ldr r0, =_nb_stack_top\n"
        "mov sp, r0\n"
        "ldr r1, =_nb_stack_limit\n"
#if __ARM_ARCH >= 8
        "msr msplim, r1\n"
#endif
        "ldr r2, =0xA5A5A5A5\n"
        "1: str r2, [r1]\n"
        "adds r1, #4\n"
        "cmp r1, r0\n"
        "bne 1b\n"
#ifdef __ARM_FP
        "ldr r0, =0xE000ED88\n" /* CPACR: full access to CP10 and CP11 */
        "ldr r1, [r0]\n"
        "orr r1, #0xF00000\n"
        "str r1, [r0]\n"
        "dsb\n"
        "isb\n"
#endif
        "bl nb_start\n"
        ".ltorg\n");
}
/* clang-format on */

_Noreturn void nb_start(void)
{
    REGISTER(SCB_VTOR) = (uint32_t)nb_vectors;
    __asm volatile("dsb" ::: "memory");
#ifdef __ARM_FEATURE_MVE
    REGISTER(SCB_CCR) |= CCR_LOB;
#endif
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

/* Keep the stack as it is while there is room on it, so that the frame can be read; else start over
 * at its top and give up the frame. */
__attribute__((naked)) void nb_fault_handler(void)
{
    __asm volatile("mov r0, sp\n"
                   "ldr r1, =_nb_stack_limit + 256\n"
                   "ldr r2, =_nb_stack_top - 32\n"
                   "cmp r0, r1\n"
                   "blo 1f\n"
                   "cmp r0, r2\n"
                   "bls 2f\n"
                   "1: movs r0, #0\n"
                   "adds r2, #32\n"
                   "mov sp, r2\n"
                   "2: bl nb_fault_m\n"
                   ".ltorg\n");
}

/* `frame`: r0 to r3, r12, lr, pc, psr as stacked by the core; NULL when it is lost. */
_Noreturn void nb_fault_m(const uint32_t *frame)
{
    static nb_fault fault; /* all zero, and not on a stack that may be short */
    if (frame != 0) {
        fault.lr = frame[5];
        fault.pc = frame[6];
        fault.psr = frame[7];
    }
#if __ARM_ARCH >= 7 && !defined(__ARM_ARCH_8M_BASE__)
    fault.cfsr = REGISTER(SCB_CFSR);
    fault.hfsr = REGISTER(SCB_HFSR);
    if (fault.cfsr >> 16 != 0) {
        fault.kind = NB_FAULT_USAGE;
    } else if ((fault.cfsr & 0xFF00u) != 0) {
        fault.kind = NB_FAULT_BUS;
        fault.addr = (fault.cfsr & 0x8000u) != 0 ? REGISTER(SCB_BFAR) : 0;
    } else if (fault.cfsr != 0) {
        fault.kind = NB_FAULT_MEM;
        fault.addr = (fault.cfsr & 0x80u) != 0 ? REGISTER(SCB_MMFAR) : 0;
    }
#endif
    nb_fault_report(&fault);
}

#endif
