/* mxc.h: the few names of the vendor's device library that its generated cnn.c uses, bound to the
 * registers themselves. Register addresses and bits: hal_adi's CMSIS headers and SVD of the MAX78000;
 * the offset of PCLKDIV and the bit of the accelerator's clock are from memory: check them first.
 * No interrupt is enabled here: the driver polls, and calls CNN_ISR itself. */
#ifndef MXC_H
#define MXC_H

#include <stdint.h>
#include <string.h>

typedef struct {
    volatile uint32_t reg0; /* 0x00: power, one bit per quadrant */
    volatile uint32_t reg1; /* 0x04: memories on */
    volatile uint32_t reg2; /* 0x08: isolation */
    volatile uint32_t reg3; /* 0x0C: reset */
} mxc_gcfr_regs_t;
#define MXC_GCFR ((mxc_gcfr_regs_t *)0x40005800u)

typedef struct {
    volatile uint32_t before[6];
    volatile uint32_t pclkdiv; /* 0x18 */
    volatile uint32_t between[2];
    volatile uint32_t pclkdis0; /* 0x24; 1 = clock off */
} mxc_gcr_regs_t;
#define MXC_GCR ((mxc_gcr_regs_t *)0x40000000u)
#define MXC_F_GCR_PCLKDIV_CNNCLKDIV (7u << 14)
#define MXC_S_GCR_PCLKDIV_CNNCLKDIV_DIV1 (4u << 14)
#define MXC_F_GCR_PCLKDIV_CNNCLKSEL (1u << 17)
#define MXC_S_GCR_PCLKDIV_CNNCLKSEL_PCLK 0u

#define MXC_SYS_PERIPH_CLOCK_CNN 25u /* bit of PCLKDIS0 */
#define CNN_IRQn 0
static inline void MXC_SYS_ClockEnable(uint32_t bit)
{
    MXC_GCR->pclkdis0 &= ~(1u << bit);
}
static inline void MXC_SYS_ClockDisable(uint32_t bit)
{
    MXC_GCR->pclkdis0 |= 1u << bit;
}
#define MXC_NVIC_SetVector(number, handler) ((void)(number), (void)(handler))
#define NVIC_EnableIRQ(number) ((void)(number))

/* The vendor's timer of an inference: our own counter takes its place. */
#define MXC_TMR0 0
#define MXC_TMR_SW_Start(timer) ((void)(timer))
#define MXC_TMR_SW_Stop(timer) ((uint32_t)(timer))

#endif
