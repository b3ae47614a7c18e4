/* hal.c (k210): Kendryte K210, hart 0; the other waits in start-up code. The KPU is not used.
 *
 * Clock: 26 MHz crystal, PLL0 * 60 / 2 = 780 MHz, the cores at half of it: 390 MHz.
 * Code, weights and data lie in SRAM, which the boot ROM has filled from flash; L1 caches are on.
 * Console: UARTHS on IO4 (RX) and IO5 (TX), from the cores' clock.
 * Pins: IO21 timestamp, IO22 to IO24 stage code, as GPIOHS 0 to 3.
 * Idle: WFI with the CLINT as the alarm, without a trap. Clocks, RAM and UART go on. */
#include "nb_hal.h"

#include "nb_board.h"
#include "nb_core.h"
#include "nb_hal_counter.h"
#include "registers.h"

#define ROUNDS 100000u
#define UART_RX_IO 4u
#define UART_TX_IO 5u
#define TIMESTAMP_IO 21u
#define PINS 4u
#define TIMESTAMP 1u
#define CODE_PIN 1u
#define CODES (7u << CODE_PIN)
#define MIE_MTIE (1u << 7)
#define FRAME_BITS 11u

_Static_assert(NB_CPU_HZ == 390000000, "the clock that clock_init sets up");

static uint32_t baud_now;

/* The core runs from the crystal while the PLL is made. A slip that was seen keeps LOCK low until
 * it is cleared. */
static void clock_init(void)
{
    SYSCTL_CLK_SEL0 &= ~CLK_SEL0_ACLK_PLL0;
    SYSCTL_PLL0 = (SYSCTL_PLL0 & ~PLL_FACTORS) | PLL_780_MHZ | PLL_POWER;
    SYSCTL_PLL0 &= ~PLL_RESET;
    SYSCTL_PLL0 |= PLL_RESET;
    __asm volatile("nop\n nop");
    SYSCTL_PLL0 &= ~PLL_RESET;
    for (uint32_t round = 0; round < ROUNDS && (SYSCTL_PLL_LOCK & PLL0_LOCKED) != PLL0_LOCKED;
         round++) {
        SYSCTL_PLL_LOCK |= PLL0_CLEAR_SLIP;
    }
    SYSCTL_PLL0 = (SYSCTL_PLL0 & ~PLL_BYPASS) | PLL_OUT;
    SYSCTL_CLK_SEL0 &= ~CLK_SEL0_ACLK_DIVIDER;
    SYSCTL_CLK_SEL0 |= CLK_SEL0_ACLK_PLL0;
}

/* Levels first, then outputs: timestamp high, code 0. */
static void pins_init(void)
{
    SYSCTL_CLK_EN_CENT |= CLK_EN_CENT_APB0;
    SYSCTL_CLK_EN_PERI |= CLK_EN_PERI_FPIOA;
    nb_hal_timestamp(true);
    nb_hal_marker(0);
    GPIOHS_OUTPUT_EN |= (1u << PINS) - 1u;
    for (uint32_t pin = 0; pin < PINS; pin++) {
        FPIOA_IO(TIMESTAMP_IO + pin) = FPIOA_OUTPUT | (FUNCTION_GPIOHS0 + pin);
    }
}

static void console_init(void)
{
    FPIOA_IO(UART_RX_IO) = FPIOA_INPUT | FUNCTION_UARTHS_RX;
    FPIOA_IO(UART_TX_IO) = FPIOA_OUTPUT | FUNCTION_UARTHS_TX;
    UARTHS_IE = 0;
    (void)nb_hal_set_baud(NB_CONSOLE_BAUD);
    UARTHS_TXCTRL = UARTHS_TXCTRL_ON_1_LEFT;
    UARTHS_RXCTRL = UARTHS_RXCTRL_ON;
}

void nb_hal_init(void)
{
    clock_init();
    pins_init();
    console_init();
}

void nb_hal_putc(uint8_t byte)
{
    while ((UARTHS_TXDATA & UARTHS_TXDATA_FULL) != 0) {
    }
    UARTHS_TXDATA = byte;
}

int nb_hal_getc(void)
{
    const uint32_t data = UARTHS_RXDATA;
    return (data & UARTHS_RXDATA_EMPTY) == 0 ? (int)(data & 0xFFu) : -1;
}

/* TXWM says that no byte waits; the last one may still be in the shifter. */
void nb_hal_flush(void)
{
    while ((UARTHS_IP & UARTHS_IP_TXWM) == 0) {
    }
    nb_hal_wait_us(FRAME_BITS * 1000000u / baud_now + 1u);
}

bool nb_hal_set_baud(uint32_t baud)
{
    if (baud == 0 || baud > NB_CPU_HZ / 16u) {
        return false;
    }
    const uint32_t divisor = (NB_CPU_HZ + baud / 2u) / baud;
    if (divisor - 1u > 0xFFFFu) {
        return false;
    }
    UARTHS_DIV = divisor - 1u;
    baud_now = baud;
    return true;
}

void nb_hal_timestamp(bool high)
{
    const uint32_t levels = GPIOHS_OUTPUT_VAL & ~TIMESTAMP;
    GPIOHS_OUTPUT_VAL = high ? levels | TIMESTAMP : levels;
}

/* All pins in one store. */
void nb_hal_marker(uint32_t code)
{
    GPIOHS_OUTPUT_VAL = (GPIOHS_OUTPUT_VAL & ~CODES) | ((code << CODE_PIN) & CODES);
}

/* Whether mcycle goes on in WFI no source says: what it missed, by the CLINT's time, is added. */
bool nb_hal_idle(uint32_t ms)
{
    const uint64_t begin = CLINT_MTIME;
    const uint64_t end = begin + (uint64_t)ms * (NB_CPU_HZ / CLINT_DIVIDER / 1000u);
    uintptr_t before, after;
    __asm volatile("csrr %0, mcycle" : "=r"(before));
    CLINT_MTIMECMP = end;
    __asm volatile("fence\n csrs mie, %0" ::"r"(MIE_MTIE) : "memory");
    while (CLINT_MTIME < end) {
        __asm volatile("wfi" ::: "memory");
    }
    __asm volatile("csrc mie, %0" ::"r"(MIE_MTIE) : "memory");
    CLINT_MTIMECMP = UINT64_MAX;
    const uintptr_t passed = (uintptr_t)(CLINT_MTIME - begin) * CLINT_DIVIDER;
    __asm volatile("csrr %0, mcycle" : "=r"(after));
    if (after - before < passed) {
        __asm volatile("csrw mcycle, %0" ::"r"(before + passed));
    }
    return true;
}

_Noreturn void nb_hal_reset(void)
{
    __asm volatile("fence" ::: "memory");
    SYSCTL_SOFT_RESET = SYSCTL_SOFT_RESET_NOW;
    for (;;) {
        __asm volatile("fence" ::: "memory");
    }
}
