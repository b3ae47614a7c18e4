/* hal.c (alif): DevKit-E7, the high-performance Cortex-M55, Secure throughout.
 *
 * The Secure Enclave starts crystal and PLL and then this core, from MRAM: 400 MHz is what its
 * firmware sets; nothing here can set it. The host's clock check tells when it is another.
 * I- and D-cache on. Stack and data are in the core's own DTCM, which is not cached; the arena is in
 * SRAM0 and the weights in MRAM, where the NPU can read them.
 * Console: UART4 on P12_1 (RX) and P12_2 (TX), from the 38.4 MHz oscillator.
 * Pins: port 4 is the markers' alone: P4_0 timestamp, P4_1 to P4_3 stage code.
 * Idle: WFI. The core's clock stops; PLL, RAM and UART go on. */
#include "nb_hal.h"

#include "nb_board.h"
#include "nb_core.h"
#include "nb_hal_counter.h"
#include "registers.h"
#include "dw_uart.h"

#define CONSOLE_UART 4u
#define CONSOLE_PORT 12u
#define RX_PIN 1u
#define TX_PIN 2u
#define CONSOLE_MUX 2u
#define CONSOLE_HZ 38400000u
#define MARKER_PORT 4u
#define TIMESTAMP_BIT 1u
#define CODE_SHIFT 1u

_Static_assert(NB_CPU_HZ == 400000000, "the clock that the Secure Enclave sets");

/* By default all below 0x20000000 is cached memory: peripherals of the host's domain are not. MRAM
 * is only read. Kinds as the vendor's start-up has them. */
static const nb_mpu_region regions[] = {
    {0x02000000u, 0x023FFFFFu, NB_MPU_WRITE_THROUGH, false}, /* SRAM0 */
    {0x08000000u, 0x0827FFFFu, NB_MPU_WRITE_BACK, false},    /* SRAM1 */
    {0x1A000000u, 0x1AFFFFFFu, NB_MPU_DEVICE, false},        /* host peripherals */
    {0x80000000u, 0x8057FFFFu, NB_MPU_WRITE_THROUGH, true},  /* MRAM */
    {0x83000000u, 0x83FFFFFFu, NB_MPU_DEVICE, false},
};

/* The levels of port 4: it has no set and clear registers. Timestamp high, code 0. */
static uint32_t levels = TIMESTAMP_BIT;

static void put_levels(uint32_t clear, uint32_t set)
{
    levels = (levels & ~clear) | set;
    GPIO4_DR = levels;
}

static void console_init(void)
{
    CGU_CLK_ENA |= CLK_ENA_HFOSC_38M4;
    UART_CLK_CTRL = (UART_CLK_CTRL & ~UART_CLK_PCLK(CONSOLE_UART)) | UART_CLK_ENABLE(CONSOLE_UART);
    PIN(CONSOLE_PORT, RX_PIN) = CONSOLE_MUX | PIN_INPUT | PIN_PULL_UP | PIN_4_MA;
    PIN(CONSOLE_PORT, TX_PIN) = CONSOLE_MUX | PIN_PULL_UP | PIN_4_MA;
    (void)nb_hal_set_baud(NB_CONSOLE_BAUD);
}

static void pins_init(void)
{
    put_levels(0, 0);
    for (uint32_t pin = 0; pin < 4u; pin++) {
        PIN(MARKER_PORT, pin) = PIN_4_MA; /* mux 0: GPIO */
    }
    GPIO4_DDR = 15u;
}

void nb_hal_init(void)
{
    nb_mpu_set(regions, sizeof regions / sizeof regions[0]);
    nb_cache_on();
    (void)nb_core_init();
    WDT_LOCK = WDT_KEY;
    WDT_CONTROL = 0;
    AON_RTSS_HP_CTRL &= ~RTSS_CTRL_WIC;
    EXPMST0_CTRL |= EXPMST0_FORCE_CLOCKS;
    pins_init();
    console_init();
}

bool nb_hal_set_baud(uint32_t baud)
{
    if (baud == 0 || baud > CONSOLE_HZ / 16u) {
        return false;
    }
    const uint32_t divisor = (CONSOLE_HZ + baud / 2u) / baud;
    if (divisor >> 4 > 0xFFFFu) {
        return false;
    }
    dw_uart_set_divisor(divisor);
    UART_FCR = FCR_ENABLE_CLEAR;
    return true;
}

void nb_hal_timestamp(bool high)
{
    put_levels(TIMESTAMP_BIT, high ? TIMESTAMP_BIT : 0);
}

void nb_hal_marker(uint32_t code)
{
    put_levels(7u << CODE_SHIFT, (code & 7u) << CODE_SHIFT);
}

/* The handshake of a warm reset is cleared first, as the vendor's debug sequence does it. */
_Noreturn void nb_hal_reset(void)
{
    AON_HP_WARM_RESET = 0;
    nb_core_reset();
}
