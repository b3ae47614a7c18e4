/* first_core.c (psoc6): the part starts on its Cortex-M0+, at the same vectors. There this function,
 * called first of all (NB_FIRST_CORE), starts the Cortex-M4 at these vectors and sleeps for ever; on
 * the Cortex-M4 it returns. Only instructions that both cores have, no stack.
 *
 * The watchdog runs after reset, and is stopped. Registers: Infineon's peripheral driver library
 * (psoc6_02), system_psoc6_cm0plus, cy_wdt. */
#include "nb_boot.h"

void nb_first_core(void);

/* clang-format off */
__attribute__((naked)) void nb_first_core(void)
{
    __asm volatile(
        "ldr r0, =0xE000ED00\n" /* CPUID: PARTNO C60 or C24 */
        "ldr r0, [r0]\n"
        "lsls r0, r0, #16\n"
        "lsrs r0, r0, #20\n"
        "ldr r1, =0xC60\n"
        "cmp r0, r1\n"
        "beq 1f\n"
        "bx lr\n"
        "1: ldr r0, =0x40260180\n" /* SRSS WDT_CTL: two steps unlock it, then off */
        "movs r1, #1\n"
        "lsls r2, r1, #30\n"
        "orrs r2, r1\n"
        "str r2, [r0]\n"
        "lsls r2, r1, #31\n"
        "orrs r2, r1\n"
        "str r2, [r0]\n"
        "movs r1, #0\n"
        "str r1, [r0]\n"
        "ldr r0, =0x40200200\n" /* CM4_VECTOR_TABLE_BASE */
        "ldr r1, =nb_vectors\n"
        "str r1, [r0]\n"
        "dsb\n"
        "ldr r0, =0x40201200\n" /* CM4_PWR_CTL: key, enabled */
        "ldr r1, =0x05FA0003\n"
        "str r1, [r0]\n"
        "2: wfi\n"
        "b 2b\n"
        ".ltorg\n");
}
/* clang-format on */
