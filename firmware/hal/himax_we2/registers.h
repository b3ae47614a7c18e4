/* Registers of the Himax WE2 (HX6538) that the HAL touches, by their Secure addresses. There is no
 * public manual. Sources: the SVD in the vendor's repository for the Grove Vision AI V2 (addresses),
 * the DesignWare UART's layout in it and in hx6538-minimal. */
#ifndef REGISTERS_H
#define REGISTERS_H

#include "nb_core.h"

/* UART0 (DesignWare 16550) */
#define UART_THR NB_REGISTER(0x54003000u) /* RBR and DLL as well */
#define UART_DLH NB_REGISTER(0x54003004u) /* IER as well */
#define UART_LCR NB_REGISTER(0x5400300Cu)
#define LCR_8_BITS 3u
#define LCR_DLAB (1u << 7)
#define UART_LSR NB_REGISTER(0x54003014u)
#define LSR_DR (1u << 0)
#define LSR_TEMT (1u << 6)
#define UART_USR NB_REGISTER(0x5400307Cu)
#define USR_TFNF (1u << 1)
#define UART_DLF NB_REGISTER(0x540030C0u)

#endif
