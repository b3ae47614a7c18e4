/* hal.c (cmsdk): Arm's MPS2 and MPS3 FPGA images, as QEMU emulates them: CMSDK UART0 as the
 * console, FPGAIO COUNTER as the clock. No pins, no sleep. board.toml gives
 *   NB_CMSDK_UART_BASE, NB_CMSDK_UART_HZ, NB_CMSDK_FPGAIO_BASE
 * With NB_L1_CACHES the core is set up as the families of real Cortex-M55 parts do it (interrupts,
 * counter, MPU, caches): so their share of the work runs where their registers do not exist.
 * Register layout: Arm DDI 0479 (UART), DAI 0386/0505/0547 (FPGAIO). */
#include "nb_hal.h"

#include "nb_board.h"
#include "nb_core.h"
#include "nb_hal_counter.h"

#define REGISTER(address) (*(volatile uint32_t *)(uintptr_t)(address))
#define UART_DATA REGISTER(NB_CMSDK_UART_BASE + 0x00u)
#define UART_STATE REGISTER(NB_CMSDK_UART_BASE + 0x04u)
#define UART_CTRL REGISTER(NB_CMSDK_UART_BASE + 0x08u)
#define UART_BAUDDIV REGISTER(NB_CMSDK_UART_BASE + 0x10u)
#define STATE_TX_FULL 1u
#define STATE_RX_FULL 2u
#define CTRL_TX_RX_ENABLE 3u
#define BAUDDIV_MIN 16u
#define IDLE_SPINS 2000u
#define PAUSE_ROUNDS 2000u

_Static_assert(NB_COUNTER_HZ % 1000000 == 0, "nb_hal_wait_us counts whole ticks per microsecond");

#ifdef NB_L1_CACHES
/* Of the mps3-an547: each kind once, so that a wrong attribute shows as a fault. */
static const nb_mpu_region regions[] = {
    {0x00000000u, 0x0007FFFFu, NB_MPU_WRITE_THROUGH, true}, /* code */
    {0x31000000u, 0x313FFFFFu, NB_MPU_WRITE_BACK, false},   /* SRAM */
    {0x49000000u, 0x49FFFFFFu, NB_MPU_DEVICE, false},       /* FPGA's peripherals */
    {0x60000000u, 0x6FFFFFFFu, NB_MPU_WRITE_THROUGH, false} /* DDR */
};
#endif

void nb_hal_init(void)
{
#ifdef NB_L1_CACHES
    nb_mpu_set(regions, sizeof regions / sizeof regions[0]);
    nb_cache_on();
    (void)nb_core_init();
#endif
    UART_CTRL = CTRL_TX_RX_ENABLE;
    (void)UART_DATA; /* QEMU looks for input only after a read: enabling alone can go unnoticed */
    (void)nb_hal_set_baud(NB_CONSOLE_BAUD);
}

void nb_hal_putc(uint8_t byte)
{
    while ((UART_STATE & STATE_TX_FULL) != 0) {
    }
    UART_DATA = byte;
}

/* An emulator delivers input from a thread that must first get a lock which every register access
 * of ours takes: polling without a pause can starve it for seconds on a busy host. */
static void pause(void)
{
    for (uint32_t i = 0; i < PAUSE_ROUNDS; i++) {
        __asm volatile("");
    }
}

int nb_hal_getc(void)
{
    if ((UART_STATE & STATE_RX_FULL) == 0) {
        pause();
        return -1;
    }
    return (int)(UART_DATA & 0xFFu);
}

void nb_hal_flush(void)
{
    while ((UART_STATE & STATE_TX_FULL) != 0) {
    }
}

bool nb_hal_set_baud(uint32_t baud)
{
    const uint32_t divisor = baud == 0 ? 0 : (uint32_t)NB_CMSDK_UART_HZ / baud;
    if (divisor < BAUDDIV_MIN) {
        return false;
    }
    UART_BAUDDIV = divisor;
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

bool nb_hal_idle(uint32_t ms)
{
    (void)ms;
    return false;
}

_Noreturn void nb_hal_reset(void)
{
    nb_core_reset();
}
