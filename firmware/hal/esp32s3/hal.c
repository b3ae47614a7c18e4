/* hal.c (esp32s3): ESP32-S3 on ESP-IDF 5, whose start-up, clocks, flash cache and linker files are
 * used: sdkconfig.defaults sets 240 MHz, one core, no watchdogs and no log.
 *
 * The harness is one task of the highest priority on a stack of our own, which FreeRTOS paints with
 * the byte that nb_boot.h expects. Its tick interrupt stays on: some hundred cycles every 10 ms.
 * Console: UART0 (GPIO43, GPIO44). Pins: GPIO4 timestamp, GPIO5 to GPIO7 stage code.
 * Faults are ESP-IDF's: it restarts without a record of ours. Written from its API reference. */
#include "nb_hal.h"

#include "driver/gpio.h"
#include "driver/uart.h"
#include "esp_system.h"
#include "freertos/FreeRTOS.h"
#include "freertos/task.h"
#include "nb_board.h"
#include "nb_boot.h"
#include "nb_core.h"

#define CONSOLE UART_NUM_0
#define RECEIVE_BYTES 512
#define TIMESTAMP_GPIO GPIO_NUM_4
#define CODE_GPIO GPIO_NUM_5
#define CODES 3

_Static_assert(sizeof(StackType_t) == 1, "ESP-IDF counts stacks in bytes");
_Static_assert(NB_STACK_PAINT == 0xA5A5A5A5u, "FreeRTOS' own paint");

uint32_t _nb_stack_limit[NB_STACK_BYTES / 4] __attribute__((aligned(16)));

void app_main(void);

static void pins_init(void)
{
    const gpio_config_t outputs = {
        .pin_bit_mask = 0xFull << TIMESTAMP_GPIO,
        .mode = GPIO_MODE_OUTPUT,
    };
    nb_hal_timestamp(true);
    nb_hal_marker(0);
    (void)gpio_config(&outputs);
}

void nb_hal_init(void)
{
    const uart_config_t settings = {
        .baud_rate = NB_CONSOLE_BAUD,
        .data_bits = UART_DATA_8_BITS,
        .parity = UART_PARITY_DISABLE,
        .stop_bits = UART_STOP_BITS_1,
        .flow_ctrl = UART_HW_FLOWCTRL_DISABLE,
        .source_clk = UART_SCLK_DEFAULT,
    };
    pins_init();
    (void)uart_param_config(CONSOLE, &settings);
    (void)uart_driver_install(CONSOLE, RECEIVE_BYTES, 0, 0, NULL, 0);
}

void nb_hal_putc(uint8_t byte)
{
    (void)uart_write_bytes(CONSOLE, &byte, 1);
}

int nb_hal_getc(void)
{
    uint8_t byte;
    return uart_read_bytes(CONSOLE, &byte, 1, 0) == 1 ? (int)byte : -1;
}

void nb_hal_flush(void)
{
    (void)uart_wait_tx_done(CONSOLE, portMAX_DELAY);
}

bool nb_hal_set_baud(uint32_t baud)
{
    return baud != 0 && uart_set_baudrate(CONSOLE, baud) == ESP_OK;
}

void nb_hal_timestamp(bool high)
{
    (void)gpio_set_level(TIMESTAMP_GPIO, high ? 1u : 0u);
}

/* Bits that fall go first: between two stages the code is a part of both. */
void nb_hal_marker(uint32_t code)
{
    for (uint32_t level = 0; level < 2u; level++) {
        for (int bit = 0; bit < CODES; bit++) {
            if ((code >> bit & 1u) == level) {
                (void)gpio_set_level((gpio_num_t)(CODE_GPIO + bit), level);
            }
        }
    }
}

/* What CCOUNT does over light sleep no source says. */
bool nb_hal_idle(uint32_t ms)
{
    (void)ms;
    return false;
}

_Noreturn void nb_hal_reset(void)
{
    esp_restart();
}

static void run(void *nothing)
{
    (void)nothing;
    nb_main();
}

void app_main(void)
{
    static StaticTask_t task;
    (void)xTaskCreateStatic(run, "npubench", sizeof _nb_stack_limit, NULL, configMAX_PRIORITIES - 1,
                            (StackType_t *)_nb_stack_limit, &task);
}
