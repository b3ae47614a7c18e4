/* core_driver_client.c: a client of Arm's Ethos-U core driver on a board model. The driver's sources
 * are the user's; here are start-up, the interrupt and the sequence of calls. Results leave as 32-bit
 * words, little-endian, byte by byte through the transmit register. */
#include <stddef.h>
#include <stdint.h>

#include "ethosu_driver.h"
#include "pmu_ethosu.h"

#define REG(address) (*(volatile uint32_t *)(uintptr_t)(address))

#define NVIC_ISER 0xE000E100u
#define IRQ 56u

extern uint32_t _stack_top, _bss_start, _bss_end;
static struct ethosu_driver driver;
static volatile uint32_t interrupts;

void _exit(int code);
int main(void);

static void put(uint32_t value)
{
    for (uint32_t i = 0; i < 4; i++) {
        REG(NB_UART) = value >> (8u * i) & 0xFFu;
    }
}

static void npu_handler(void)
{
    interrupts++;
    ethosu_irq_handler(&driver);
}

static void trap(void)
{
    put(0xDEADu);
    for (;;) {
    }
}

static void start(void)
{
    for (uint32_t *word = &_bss_start; word < &_bss_end; word++) {
        *word = 0;
    }
    REG(0xE000ED88u) |= 0xFu << 20; /* the floating-point unit */
    (void)main();
    for (;;) {
    }
}

__attribute__((section(".vectors"), used)) static const void *const vectors[16 + IRQ + 1] = {
    &_stack_top, (void *)start, [2 ... 15] = (void *)trap, [16 ... 16 + IRQ - 1] = (void *)trap,
    [16 + IRQ] = (void *)npu_handler,
};

static int32_t run(void)
{
    uint64_t bases[3] = {NB_CONSTANTS, NB_ARENA, NB_ARENA};
    const size_t sizes[3] = {NB_CONSTANT_BYTES, NB_ARENA_BYTES, NB_ARENA_BYTES};
    return ethosu_invoke(&driver, (const void *)NB_STREAM, NB_STREAM_BYTES, bases, sizes, 3);
}

int main(void)
{
    struct ethosu_hw_info info;
    REG(NVIC_ISER + 4u * (IRQ / 32u)) = 1u << (IRQ % 32u);
    put((uint32_t)ethosu_init(&driver, (void *)NB_NPU, NULL, 0, 1, 1));
    ethosu_get_hw_info(&driver, &info);
    put(info.cfg.macs_per_cc);
    put(info.version.arch_major_rev << 16 | info.version.arch_minor_rev);
    ETHOSU_PMU_Enable(&driver);
    ETHOSU_PMU_Set_EVTYPER(&driver, 0, ETHOSU_PMU_NPU_ACTIVE);
    ETHOSU_PMU_Set_EVTYPER(&driver, 1, ETHOSU_PMU_MAC_ACTIVE);
    ETHOSU_PMU_Set_EVTYPER(&driver, 2, ETHOSU_PMU_AXI0_RD_DATA_BEAT_RECEIVED);
    ETHOSU_PMU_Set_EVTYPER(&driver, 3, ETHOSU_PMU_AXI1_RD_DATA_BEAT_RECEIVED);
    ETHOSU_PMU_CNTR_Disable(&driver, ETHOSU_PMU_CCNT_Msk | 0xFu);
    ETHOSU_PMU_CNTR_Enable(&driver, ETHOSU_PMU_CCNT_Msk | 0xFu);
    ETHOSU_PMU_EVCNTR_ALL_Reset(&driver);
    ETHOSU_PMU_CYCCNT_Reset(&driver);
    put((uint32_t)run());
    put(interrupts);
    put((uint32_t)ETHOSU_PMU_Get_CCNTR(&driver));
    for (uint32_t i = 0; i < 4; i++) {
        put(ETHOSU_PMU_Get_EVCNTR(&driver, i));
    }
    ETHOSU_PMU_Set_CCNTR(&driver, 0x123456789ull);
    put((uint32_t)ETHOSU_PMU_Get_CCNTR(&driver));
    put(ETHOSU_PMU_CNTR_Status(&driver));
    ETHOSU_PMU_CNTR_Disable(&driver, ETHOSU_PMU_CCNT_Msk);
    put((uint32_t)run()); /* the input is gone; only its end counts */
    put((uint32_t)ETHOSU_PMU_Get_CCNTR(&driver));
    REG(NB_NPU + 0x28u) = 0;   /* CONFIG is not to be written */
    ((volatile uint32_t *)NB_STREAM)[4] = 0x3FFu; /* a command that is none */
    put((uint32_t)run());
    put(0xE0Du);
    return 0;
}

int _write(int file, const char *text, int count)
{
    (void)file;
    (void)text;
    return count;
}
