/* hal.c (max78): MAX78000 and MAX78002, the Cortex-M4F core; the RISC-V core stays off.
 *
 * Clock: the internal primary oscillator (IPO), 100 MHz on the MAX78000 and 120 MHz on the MAX78002,
 * without division. Flash wait states and core voltage stay as reset leaves them, as the vendor's
 * own start-up does. Instruction cache on; there is no data cache.
 * Console: UART0 on P0.0 (RX) and P0.1 (TX), from the 7,372,800 Hz oscillator (IBRO): its speed does
 * not depend on the core's clock.
 * Pins: board.toml gives port and number of each (NB_TIMESTAMP_PORT, NB_TIMESTAMP_PIN, NB_CODE0_PORT,
 * ...), NB_PINS_3V3 and NB_CONSOLE_3V3 (1: driven from VDDIOH). The code pins change one after the
 * other, some ten cycles apart.
 * The debug port is dead for some time after reset and in every low-power mode: start-up waits two
 * seconds before anything else, so that a probe always gets in. */
#include "nb_hal.h"

#include "nb_board.h"
#include "nb_core.h"
#include "nb_hal_counter.h"
#include "registers.h"

#define ROUNDS 1000000u
#define ISO_MHZ 60u
#define PROBE_WINDOW_US 2000000u
#define IBRO_HZ 7372800u
#define CLKDIV_MIN 1u
#define CLKDIV_MAX 0xFFFFFu
#define OVERSAMPLING 5u

#define GPIO(port) ((port) == 0 ? GPIO0 : (port) == 1 ? GPIO1 : GPIO2)

_Static_assert(NB_CPU_HZ == 100000000 || NB_CPU_HZ == 120000000, "the IPO of either part");

static void clock_init(void)
{
    GCR_CLKCTRL |= CLKCTRL_IPO_EN | CLKCTRL_IBRO_EN;
    (void)nb_core_poll(&GCR_CLKCTRL, CLKCTRL_IPO_RDY, CLKCTRL_IPO_RDY, ROUNDS);
    GCR_CLKCTRL = (GCR_CLKCTRL & ~(CLKCTRL_SEL | CLKCTRL_DIV)) | CLKCTRL_SEL_IPO;
    (void)nb_core_poll(&GCR_CLKCTRL, CLKCTRL_RDY, CLKCTRL_RDY, ROUNDS);
    (void)nb_core_poll(&GCR_CLKCTRL, CLKCTRL_IBRO_RDY, CLKCTRL_IBRO_RDY, ROUNDS);
}

static void cache_init(void)
{
    ICC0_CTRL &= ~ICC_CTRL_EN;
    ICC0_INVALIDATE = 1;
    (void)nb_core_poll(&ICC0_CTRL, ICC_CTRL_RDY, ICC_CTRL_RDY, ROUNDS);
    ICC0_CTRL |= ICC_CTRL_EN;
    (void)nb_core_poll(&ICC0_CTRL, ICC_CTRL_RDY, ICC_CTRL_RDY, ROUNDS);
}

/* Alternate function 1. GPIO first, then away from it: no glitch on the line. */
static void console_init(void)
{
    GCR_PCLKDIS0 &= ~(PCLKDIS0_GPIO0 | PCLKDIS0_UART0);
    (void)GCR_PCLKDIS0;
#if NB_CONSOLE_3V3
    GPIO_VSSEL(GPIO0) |= 3u;
#endif
    GPIO_INEN(GPIO0) |= 3u;
    GPIO_EN0_SET(GPIO0) = 3u;
    GPIO_EN2_CLR(GPIO0) = 3u;
    GPIO_EN1_CLR(GPIO0) = 3u;
    GPIO_EN0_CLR(GPIO0) = 3u;
    (void)nb_hal_set_baud(NB_CONSOLE_BAUD);
}

static void put(uint32_t port, uint32_t pin, bool high)
{
    if (high) {
        GPIO_OUT_SET(port) = 1u << pin;
    } else {
        GPIO_OUT_CLR(port) = 1u << pin;
    }
}

static void output(uint32_t port, uint32_t pin)
{
    const uint32_t bit = 1u << pin;
    GPIO_PADCTRL0(port) &= ~bit;
    GPIO_PADCTRL1(port) &= ~bit;
#if NB_PINS_3V3
    GPIO_VSSEL(port) |= bit;
#else
    GPIO_VSSEL(port) &= ~bit;
#endif
    GPIO_OUTEN_SET(port) = bit;
    GPIO_EN0_SET(port) = bit;
    GPIO_EN1_CLR(port) = bit;
    GPIO_EN2_CLR(port) = bit;
}

/* Levels first, then outputs: timestamp high, code 0. */
static void pins_init(void)
{
    GCR_PCLKDIS0 &= ~(PCLKDIS0_GPIO0 | PCLKDIS0_GPIO1);
    LPGCR_PCLKDIS &= ~LPGCR_PCLKDIS_GPIO2;
    (void)LPGCR_PCLKDIS;
    nb_hal_timestamp(true);
    nb_hal_marker(0);
    output(GPIO(NB_TIMESTAMP_PORT), NB_TIMESTAMP_PIN);
    output(GPIO(NB_CODE0_PORT), NB_CODE0_PIN);
    output(GPIO(NB_CODE1_PORT), NB_CODE1_PIN);
    output(GPIO(NB_CODE2_PORT), NB_CODE2_PIN);
}

/* The window for the probe runs on the 60 MHz oscillator of reset; nb_hal_wait_us counts cycles of
 * the full clock, so its microseconds are scaled. */
void nb_hal_init(void)
{
    if ((GCR_PCLKDIS1 & PCLKDIS1_WDT0) == 0) { /* without its clock it neither bites nor answers */
        WDT0_CTRL &= ~WDT_CTRL_EN;
    }
    (void)nb_core_init();
    nb_hal_wait_us(PROBE_WINDOW_US / ((uint32_t)NB_CPU_HZ / 1000000u) * ISO_MHZ);
    clock_init();
    cache_init();
    pins_init();
    console_init();
}

void nb_hal_putc(uint8_t byte)
{
    while ((UART_STATUS & UART_STATUS_TX_FULL) != 0) {
    }
    UART_FIFO = byte;
}

int nb_hal_getc(void)
{
    return (UART_STATUS & UART_STATUS_RX_EM) == 0 ? (int)(UART_FIFO & 0xFFu) : -1;
}

void nb_hal_flush(void)
{
    while ((UART_STATUS & (UART_STATUS_TX_EM | UART_STATUS_TX_BUSY)) != UART_STATUS_TX_EM) {
    }
}

bool nb_hal_set_baud(uint32_t baud)
{
    if (baud == 0 || baud > IBRO_HZ) {
        return false;
    }
    const uint32_t divisor = (IBRO_HZ + baud / 2u) / baud;
    if (divisor < CLKDIV_MIN || divisor > CLKDIV_MAX) {
        return false;
    }
    UART_CTRL = UART_CTRL_IBRO | UART_CTRL_8_BITS | UART_CTRL_TX_FLUSH | UART_CTRL_RX_FLUSH;
    UART_OSR = OVERSAMPLING;
    UART_CLKDIV = divisor;
    UART_CTRL = UART_CTRL_IBRO | UART_CTRL_8_BITS | UART_CTRL_BCLKEN;
    (void)nb_core_poll(&UART_CTRL, UART_CTRL_BCLKRDY, UART_CTRL_BCLKRDY, ROUNDS);
    return true;
}

void nb_hal_timestamp(bool high)
{
    put(GPIO(NB_TIMESTAMP_PORT), NB_TIMESTAMP_PIN, high);
}

void nb_hal_marker(uint32_t code)
{
    put(GPIO(NB_CODE0_PORT), NB_CODE0_PIN, (code & 1u) != 0);
    put(GPIO(NB_CODE1_PORT), NB_CODE1_PIN, (code & 2u) != 0);
    put(GPIO(NB_CODE2_PORT), NB_CODE2_PIN, (code & 4u) != 0);
}

_Noreturn void nb_hal_reset(void)
{
    nb_core_reset();
}
