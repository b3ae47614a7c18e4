/* dw_uart.h: the console on a DesignWare UART (16550 with a transmit-FIFO status and a fractional
 * divisor). A family defines DW_UART_BASE and includes this once, in its hal.c.
 * Registers: Zephyr's device tree for the DesignWare UART, the SVD of the Himax WE2. */
#ifndef DW_UART_H
#define DW_UART_H

#include "nb_core.h"
#include "nb_hal.h"

#define UART_THR NB_REGISTER(DW_UART_BASE + 0x00u) /* RBR and DLL as well */
#define UART_DLH NB_REGISTER(DW_UART_BASE + 0x04u) /* IER as well */
#define UART_FCR NB_REGISTER(DW_UART_BASE + 0x08u)
#define FCR_ENABLE_CLEAR 7u
#define UART_LCR NB_REGISTER(DW_UART_BASE + 0x0Cu)
#define LCR_8_BITS 3u
#define LCR_DLAB (1u << 7)
#define UART_LSR NB_REGISTER(DW_UART_BASE + 0x14u)
#define LSR_DR (1u << 0)
#define LSR_TEMT (1u << 6)
#define UART_USR NB_REGISTER(DW_UART_BASE + 0x7Cu)
#define USR_TFNF (1u << 1)
#define UART_DLF NB_REGISTER(DW_UART_BASE + 0xC0u)

/* The divisor of clock / 16 has 4 bits of fraction: in 16ths it is clock / baud. */
static inline void dw_uart_set_divisor(uint32_t sixteenths)
{
    UART_LCR = LCR_8_BITS | LCR_DLAB;
    UART_THR = (sixteenths >> 4) & 0xFFu;
    UART_DLH = sixteenths >> 12;
    UART_LCR = LCR_8_BITS;
    UART_DLF = sixteenths & 15u;
    UART_DLH = 0; /* now IER: no interrupts */
}

void nb_hal_putc(uint8_t byte)
{
    while ((UART_USR & USR_TFNF) == 0) {
    }
    UART_THR = byte;
}

int nb_hal_getc(void)
{
    return (UART_LSR & LSR_DR) != 0 ? (int)(UART_THR & 0xFFu) : -1;
}

void nb_hal_flush(void)
{
    while ((UART_LSR & LSR_TEMT) == 0) {
    }
}

#endif
