/* hal.c (himax_we2): Grove Vision AI Module V2, the Cortex-M55M, Secure throughout.
 *
 * The second boot loader has set the PLL (400 MHz, measured by a third party; its registers are not
 * public), the console's pins and its speed, and has copied the image section by section: code into
 * ITCM, weights into SRAM0. Data and stack are in DTCM, the arena is in SRAM1, where an NPU could
 * reach it. I- and D-cache on; the TCMs are not cached.
 * Console: UART0 as the loader leaves it, 921,600 bit/s. The UART's clock is not public, so another
 * speed is made from the loader's divisor, in proportion.
 * Pins: none. Which bits select a pin's function is not public.
 * Idle: WFI. The core's clock stops, the rest goes on. */
#include "nb_hal.h"

#include "nb_board.h"
#include "nb_core.h"
#include "nb_hal_counter.h"
#include "registers.h"
#include "dw_uart.h"

#define LOADER_BAUD 921600u
#define DIVISOR_MAX 0xFFFFFu

_Static_assert(NB_CONSOLE_BAUD == 921600, "the speed that the loader sets");

/* The divisor that the loader left, in 16ths; 0 = none, then the speed stays as it is. */
static uint32_t loader_divisor;

static void console_init(void)
{
    UART_LCR = LCR_8_BITS | LCR_DLAB;
    loader_divisor = ((UART_DLH & 0xFFu) << 12) | ((UART_THR & 0xFFu) << 4) | (UART_DLF & 15u);
    UART_LCR = LCR_8_BITS;
    UART_DLH = 0;
}

void nb_hal_init(void)
{
    nb_mpu_set(NULL, 0); /* the default map fits: SRAM is normal, peripherals are device memory */
    nb_cache_on();
    (void)nb_core_init();
    console_init();
}

bool nb_hal_set_baud(uint32_t baud)
{
    if (baud == 0 || loader_divisor == 0 || loader_divisor > 0xFFFFFFFFu / LOADER_BAUD) {
        return false;
    }
    const uint32_t divisor = (loader_divisor * LOADER_BAUD + baud / 2u) / baud;
    if (divisor < 16u || divisor > DIVISOR_MAX) {
        return false;
    }
    dw_uart_set_divisor(divisor);
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
