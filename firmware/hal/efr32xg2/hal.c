/* hal.c (efr32xg2): xG24 Dev Kit.
 *
 * Clock: the crystal's 39 MHz * 3840 / 1920 = 78 MHz by the DPLL on HFRCODPLL, which begins in its
 * band of 80 MHz with the part's own calibration. Peripherals get half. When nothing locks, the core
 * stays at 20 MHz (FSRCO) and the host's clock check shows it. The crystal's settings are those of
 * reset, which are the board's.
 * Flash: wait states as reset leaves them, which suit any clock of the part.
 * Console: USART0 on PA5 and PA6, 16 samples per bit.
 * Pins: no marker pins.
 * Idle: EM1 (WFI). The core stops; HFXO, DPLL, RAM and USART go on. */
#include "nb_hal.h"

#include "nb_board.h"
#include "nb_core.h"
#include "nb_hal_counter.h"
#include "registers.h"

#define ROUNDS 1000000u
#define PCLK_HZ (NB_CPU_HZ / 2u)
#define PORT_A 0u
#define TX_PIN 5u
#define RX_PIN 6u
#define MODE_BITS 4u

_Static_assert(NB_CPU_HZ == 78000000, "the clock that clock_init sets up");

/* Reset has chosen FSRCO, so that HFRCODPLL may change under nobody. */
static void clock_init(void)
{
    CMU_CLKEN0 |= CMU_CLKEN0_DPLL0 | CMU_CLKEN0_HFRCO0 | CMU_CLKEN0_HFXO0;
    HFXO_CTRL |= HFXO_CTRL_FORCEEN;
    (void)nb_core_poll(&HFXO_STATUS, HFXO_STATUS_RDY, HFXO_STATUS_RDY, ROUNDS);
    DPLL_EN = 0;
    (void)nb_core_poll(&DPLL_EN, DPLL_EN_DISABLING, 0, ROUNDS);
    DPLL_IF = 0;
    CMU_DPLLREFCLKCTRL = CMU_DPLLREFCLKCTRL_HFXO;
    (void)nb_core_poll(&HFRCO_STATUS, HFRCO_STATUS_BUSY, 0, ROUNDS);
    HFRCO_CAL = DEVINFO_HFRCODPLLCAL_80M;
    DPLL_CFG1 = DPLL_CFG1_3840_1920;
    DPLL_CFG = DPLL_CFG_PLL | DPLL_CFG_AUTORECOVER;
    DPLL_EN = DPLL_EN_EN;
    if (nb_core_poll(&DPLL_IF, DPLL_IF_LOCK, DPLL_IF_LOCK, ROUNDS)) {
        CMU_SYSCLKCTRL |= CMU_SYSCLKCTRL_PCLK_DIV2; /* at most 50 MHz, before the core is faster */
        CMU_SYSCLKCTRL = (CMU_SYSCLKCTRL & ~CMU_SYSCLKCTRL_CLKSEL) | CMU_SYSCLKCTRL_HFRCODPLL;
    }
}

static void console_init(void)
{
    CMU_CLKEN0 |= CMU_CLKEN0_GPIO | CMU_CLKEN0_USART0;
    GPIO_PORTA_DOUT |= 1u << TX_PIN; /* the line's idle level, before it is driven */
    GPIO_PORTA_MODEL =
        (GPIO_PORTA_MODEL & ~((15u << (TX_PIN * MODE_BITS)) | (15u << (RX_PIN * MODE_BITS)))) |
        (GPIO_PUSH_PULL << (TX_PIN * MODE_BITS)) | (GPIO_INPUT << (RX_PIN * MODE_BITS));
    GPIO_USART0_TXROUTE = GPIO_ROUTE(PORT_A, TX_PIN);
    GPIO_USART0_RXROUTE = GPIO_ROUTE(PORT_A, RX_PIN);
    GPIO_USART0_ROUTEEN = GPIO_USART_RXPEN | GPIO_USART_TXPEN;
    USART_EN = 1;
    USART_CTRL = 0; /* asynchronous, 16 samples per bit */
    USART_FRAME = USART_FRAME_8N1;
    (void)nb_hal_set_baud(NB_CONSOLE_BAUD);
}

void nb_hal_init(void)
{
    (void)nb_core_init();
    clock_init();
    console_init();
}

void nb_hal_putc(uint8_t byte)
{
    while ((USART_STATUS & USART_STATUS_TXBL) == 0) {
    }
    USART_TXDATA = byte;
}

int nb_hal_getc(void)
{
    return (USART_STATUS & USART_STATUS_RXDATAV) != 0 ? (int)(USART_RXDATA & 0xFFu) : -1;
}

void nb_hal_flush(void)
{
    while ((USART_STATUS & USART_STATUS_TXIDLE) == 0) {
    }
}

/* Speed = clock / (16 * (1 + CLKDIV / 256)); the lowest three bits do not count. */
bool nb_hal_set_baud(uint32_t baud)
{
    if (baud == 0 || baud > PCLK_HZ / 16u) {
        return false;
    }
    const uint32_t divisor = (PCLK_HZ * 16u + baud / 2u) / baud - 256u;
    if (divisor > USART_CLKDIV_DIV) {
        return false;
    }
    USART_CMD = USART_CMD_OFF | USART_CMD_CLEAR;
    USART_CLKDIV = (divisor + 4u) & USART_CLKDIV_DIV;
    USART_CMD = USART_CMD_ON;
    return true;
}

void nb_hal_timestamp(bool high)
{
    (void)high;
}

void nb_hal_marker(uint32_t code)
{
    (void)code;
}

_Noreturn void nb_hal_reset(void)
{
    nb_core_reset();
}
