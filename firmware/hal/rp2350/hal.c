/* hal.c (rp2350): Raspberry Pi Pico 2, Arm core 0; core 1 stays in the boot ROM.
 *
 * Clock: 12 MHz crystal, PLL_SYS * 125 / 5 / 2 = 150 MHz, core voltage as after reset.
 * Code and weights run from flash through the 16 KiB XIP cache, as the boot ROM has set it up.
 * Console: UART0 on GP0 (TX) and GP1 (RX), from the crystal: its speed does not depend on the PLL.
 * Pins: GP2 timestamp, GP3 to GP5 stage code.
 * Idle: WFI. The core stops; clocks, RAM and UART go on.
 * Reset: by the watchdog through every stage but the oscillators, as the vendor's SDK does. */
#include "nb_hal.h"

#include "nb_board.h"
#include "nb_core.h"
#include "nb_hal_counter.h"
#include "registers.h"

#define ROUNDS 1000000u
#define XOSC_HZ 12000000u
#define UART_TX_PIN 0u
#define UART_RX_PIN 1u
#define TIMESTAMP_PIN 2u
#define CODE_PIN 3u
#define CODES (7u << CODE_PIN)

_Static_assert(NB_CPU_HZ == 150000000, "the clock that clock_init sets up");

static void release(uint32_t blocks)
{
    RESETS_CLR = blocks;
    (void)nb_core_poll(&RESETS_RESET_DONE, blocks, blocks, ROUNDS);
}

static void clock_init(void)
{
    CLK_SYS_RESUS_CTRL = 0;
    XOSC_CTRL = XOSC_CTRL_1_TO_15_MHZ;
    XOSC_STARTUP = XOSC_STARTUP_47;
    XOSC_CTRL = XOSC_CTRL_1_TO_15_MHZ | XOSC_CTRL_ENABLE;
    (void)nb_core_poll(&XOSC_STATUS, XOSC_STATUS_STABLE, XOSC_STATUS_STABLE, ROUNDS);
    CLK_SYS_CTRL &= ~CLK_SYS_CTRL_SRC_AUX; /* onto the reference while the PLL is made */
    (void)nb_core_poll(&CLK_SYS_SELECTED, 3u, 1u, ROUNDS);
    CLK_REF_CTRL &= ~CLK_REF_CTRL_SRC;
    (void)nb_core_poll(&CLK_REF_SELECTED, 7u, 1u, ROUNDS);
    RESETS_SET = RESET_PLL_SYS;
    release(RESET_PLL_SYS);
    PLL_SYS_CS = 1; /* reference divided by 1 */
    PLL_SYS_FBDIV_INT = 125;
    PLL_SYS_PWR &= ~(PLL_PWR_PD | PLL_PWR_VCOPD);
    (void)nb_core_poll(&PLL_SYS_CS, PLL_CS_LOCK, PLL_CS_LOCK, ROUNDS);
    PLL_SYS_PRIM = PLL_PRIM_5_2;
    PLL_SYS_PWR &= ~PLL_PWR_POSTDIVPD;
    CLK_REF_CTRL = (CLK_REF_CTRL & ~CLK_REF_CTRL_SRC) | CLK_REF_CTRL_SRC_XOSC;
    (void)nb_core_poll(&CLK_REF_SELECTED, 7u, 4u, ROUNDS);
    CLK_SYS_DIV = CLK_SYS_DIV_1;
    CLK_SYS_CTRL &= ~CLK_SYS_CTRL_AUXSRC;
    CLK_SYS_CTRL |= CLK_SYS_CTRL_SRC_AUX;
    (void)nb_core_poll(&CLK_SYS_SELECTED, 3u, 2u, ROUNDS);
}

static void connect(uint32_t pin, uint32_t function)
{
    PADS_GPIO(pin) = (PADS_GPIO(pin) & ~(PAD_ISO | PAD_OD)) | PAD_IE;
    IO_GPIO_CTRL(pin) = function;
}

static void console_init(void)
{
    CLK_PERI_CTRL = CLK_PERI_CTRL_AUXSRC_XOSC;
    CLK_PERI_CTRL = CLK_PERI_CTRL_AUXSRC_XOSC | CLK_PERI_CTRL_ENABLE;
    release(RESET_UART0);
    connect(UART_TX_PIN, FUNCSEL_UART);
    connect(UART_RX_PIN, FUNCSEL_UART);
    (void)nb_hal_set_baud(NB_CONSOLE_BAUD);
}

/* Levels first, then outputs: timestamp high, code 0. */
static void pins_init(void)
{
    release(RESET_IO_BANK0 | RESET_PADS_BANK0);
    nb_hal_timestamp(true);
    nb_hal_marker(0);
    for (uint32_t pin = TIMESTAMP_PIN; pin < TIMESTAMP_PIN + 4u; pin++) {
        connect(pin, FUNCSEL_SIO);
    }
    SIO_GPIO_OE_SET = 15u << TIMESTAMP_PIN;
}

void nb_hal_init(void)
{
    (void)nb_core_init();
    clock_init();
    pins_init();
    console_init();
}

void nb_hal_putc(uint8_t byte)
{
    while ((UART0_FR & UART_FR_TXFF) != 0) {
    }
    UART0_DR = byte;
}

int nb_hal_getc(void)
{
    return (UART0_FR & UART_FR_RXFE) == 0 ? (int)(UART0_DR & 0xFFu) : -1;
}

void nb_hal_flush(void)
{
    while ((UART0_FR & UART_FR_BUSY) != 0) {
    }
}

/* The divisor has 6 bits of fraction: in 64ths, clock * 4 / baud. LCR_H after it takes it over. */
bool nb_hal_set_baud(uint32_t baud)
{
    if (baud == 0 || baud > XOSC_HZ / 16u) {
        return false;
    }
    const uint32_t divisor = (XOSC_HZ * 4u + baud / 2u) / baud;
    if (divisor < 64u || divisor >> 6 > 0xFFFFu) {
        return false;
    }
    UART0_CR = 0;
    UART0_IBRD = divisor >> 6;
    UART0_FBRD = divisor & 63u;
    UART0_LCR_H = UART_LCR_H_8_BITS_FIFO;
    UART0_CR = UART_CR_ON;
    return true;
}

void nb_hal_timestamp(bool high)
{
    if (high) {
        SIO_GPIO_OUT_SET = 1u << TIMESTAMP_PIN;
    } else {
        SIO_GPIO_OUT_CLR = 1u << TIMESTAMP_PIN;
    }
}

/* Bits that fall go first: between two stages the code is a part of both. */
void nb_hal_marker(uint32_t code)
{
    SIO_GPIO_OUT_CLR = CODES & ~(code << CODE_PIN);
    SIO_GPIO_OUT_SET = CODES & (code << CODE_PIN);
}

_Noreturn void nb_hal_reset(void)
{
    __asm volatile("dsb" ::: "memory");
    PSM_WDSEL = PSM_WDSEL_ALL_BUT_OSCILLATORS;
    WATCHDOG_CTRL |= WATCHDOG_CTRL_TRIGGER;
    for (;;) {
        __asm volatile("dsb" ::: "memory");
    }
}
