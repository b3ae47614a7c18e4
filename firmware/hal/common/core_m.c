/* core_m.c: counter, sleep, reset and MPU of a Cortex-M core. Empty elsewhere. */
#include "nb_core.h"

#include "nb_board.h"
#include "nb_hal.h"
#include "nb_hal_counter.h"

#if defined(__ARM_ARCH_PROFILE) && __ARM_ARCH_PROFILE == 'M'

#if __ARM_ARCH >= 7
#define NVIC_WORDS 16u
#else
#define NVIC_WORDS 1u
#endif
#define NVIC_ICER(word) NB_REGISTER(0xE000E180u + 4u * (word))
#define NVIC_ICPR(word) NB_REGISTER(0xE000E280u + 4u * (word))
#define SYST_CSR NB_REGISTER(0xE000E010u)
#define SYST_RVR NB_REGISTER(0xE000E014u)
#define SYST_CVR NB_REGISTER(0xE000E018u)
#define CSR_CORE_CLOCK_INTERRUPT_ENABLE 7u
#define CSR_COUNTFLAG (1u << 16)
#define SCB_ICSR NB_REGISTER(0xE000ED04u)
#define ICSR_PENDSTCLR (1u << 25)
#define SCB_AIRCR NB_REGISTER(0xE000ED0Cu)
#define AIRCR_RESET 0x05FA0004u
#define SCB_SCR NB_REGISTER(0xE000ED10u)
#define SCR_SLEEPDEEP (1u << 2)
#define DEMCR NB_REGISTER(0xE000EDFCu)
#define DEMCR_TRCENA (1u << 24)
#define DWT_CTRL NB_REGISTER(0xE0001000u)
#define DWT_CTRL_CYCCNTENA (1u << 0)
#define DWT_CTRL_CYCDISS (1u << 23) /* Armv8.1-M: no counting in Secure state */
#define DWT_CTRL_NOCYCCNT (1u << 25)
#define DWT_CYCCNT NB_REGISTER(0xE0001004u)
#define DWT_LAR NB_REGISTER(0xE0001FB0u)
#define DWT_LAR_KEY 0xC5ACCE55u
#define SYSTICK_COUNTS 0x1000000u

#if __ARM_ARCH < 7
/* A core without a divide instruction divides in libgcc, which asks these what a division by zero
 * gives: nothing of ours divides by zero, and its own answers are weak symbols. */
int __aeabi_idiv0(int value);
long long __aeabi_ldiv0(long long value);

int __aeabi_idiv0(int value)
{
    return value;
}

long long __aeabi_ldiv0(long long value)
{
    return value;
}
#endif

bool nb_core_init(void)
{
    SYST_CSR = 0;
    for (uint32_t word = 0; word < NVIC_WORDS; word++) {
        NVIC_ICER(word) = 0xFFFFFFFFu;
        NVIC_ICPR(word) = 0xFFFFFFFFu;
    }
    SCB_ICSR = ICSR_PENDSTCLR;
    SCB_SCR &= ~SCR_SLEEPDEEP;
#if __ARM_ARCH < 7
    return false; /* no DWT: the family's counter is a timer */
#else
    DEMCR |= DEMCR_TRCENA;
#if __ARM_ARCH == 7 && defined(NB_DWT_LOCKED)
    DWT_LAR = DWT_LAR_KEY;
#endif
    DWT_CYCCNT = 0;
#ifdef __ARM_FEATURE_MVE
    DWT_CTRL &= ~DWT_CTRL_CYCDISS;
#endif
    DWT_CTRL |= DWT_CTRL_CYCCNTENA;
    return (DWT_CTRL & DWT_CTRL_NOCYCCNT) == 0;
#endif
}

#ifdef NB_COUNTER_DWT
/* Sleep (WFI) with SysTick, from the core's clock, as the alarm. The core's clock alone stops;
 * SysTick's exception stays pending behind PRIMASK, so that no handler runs. Many parts stop CYCCNT
 * with the core's clock, while SysTick goes on: the cycles that the counter missed are added to it,
 * so that time stays whole. */
bool nb_hal_idle(uint32_t ms)
{
    const uint32_t longest = (SYSTICK_COUNTS - 1u) / ((uint32_t)NB_CPU_HZ / 1000u + 1u);
    while (ms != 0) {
        const uint32_t step = ms < longest ? ms : longest;
        const uint32_t reload = step * ((uint32_t)NB_CPU_HZ / 1000u) - 1u;
        __asm volatile("cpsid i" ::: "memory");
        SYST_RVR = reload;
        SYST_CVR = 0;
        const uint32_t begin = DWT_CYCCNT;
        SYST_CSR = CSR_CORE_CLOCK_INTERRUPT_ENABLE;
        __asm volatile("dsb\n wfi\n isb" ::: "memory");
        const uint32_t full = (SYST_CSR & CSR_COUNTFLAG) != 0 ? reload + 1u : 0;
        const uint32_t passed = full + reload - SYST_CVR;
        const uint32_t counted = DWT_CYCCNT - begin;
        if (counted < passed) {
            DWT_CYCCNT += passed - counted;
        }
        SYST_CSR = 0;
        SCB_ICSR = ICSR_PENDSTCLR;
        ms -= step;
    }
    return true;
}
#endif

_Noreturn void nb_core_reset(void)
{
    nb_cache_flush();
    __asm volatile("dsb" ::: "memory");
    SCB_AIRCR = AIRCR_RESET;
    for (;;) {
        __asm volatile("dsb" ::: "memory");
    }
}

#if __ARM_ARCH >= 8
#define MPU_CTRL NB_REGISTER(0xE000ED94u)
#define MPU_CTRL_ON 5u /* with the default map behind the regions */
#define MPU_RNR NB_REGISTER(0xE000ED98u)
#define MPU_RBAR NB_REGISTER(0xE000ED9Cu)
#define MPU_RLAR NB_REGISTER(0xE000EDA0u)
#define MPU_MAIR0 NB_REGISTER(0xE000EDC0u)
#define MPU_TYPE NB_REGISTER(0xE000ED90u)
/* One byte per nb_mpu_kind: Device-nGnRE; write-through, read-allocate; write-back, both. */
#define MAIR0_KINDS 0x00FFAA04u
#define RBAR_NEVER_EXECUTE 1u
#define RBAR_READ_ONLY (2u << 1)
#define RLAR_ENABLE 1u

void nb_mpu_set(const nb_mpu_region *regions, uint32_t count)
{
    const uint32_t all = (MPU_TYPE >> 8) & 0xFFu;
    __asm volatile("dmb" ::: "memory");
    MPU_CTRL = 0;
    MPU_MAIR0 = MAIR0_KINDS;
    for (uint32_t i = 0; i < all; i++) {
        MPU_RNR = i;
        MPU_RLAR = 0;
        if (i < count) {
            MPU_RBAR = regions[i].base | (regions[i].read_only ? RBAR_READ_ONLY : 0) |
                       (regions[i].kind == NB_MPU_DEVICE ? RBAR_NEVER_EXECUTE : 0);
            MPU_RLAR = (regions[i].limit & ~31u) | ((uint32_t)regions[i].kind << 1) | RLAR_ENABLE;
        }
    }
    MPU_CTRL = count == 0 ? 0 : MPU_CTRL_ON;
    __asm volatile("dsb\n isb" ::: "memory");
}
#endif

#endif
