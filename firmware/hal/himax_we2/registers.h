/* Registers of the Himax WE2 (HX6538) that the HAL touches, by their Secure addresses. There is no
 * public manual. Sources: the SVD in the vendor's repository for the Grove Vision AI V2 (addresses),
 * the DesignWare UART's layout in it and in hx6538-minimal. */
#ifndef REGISTERS_H
#define REGISTERS_H

#include "nb_core.h"

/* UART0 (DesignWare 16550) */
#define DW_UART_BASE 0x54003000u

#endif
