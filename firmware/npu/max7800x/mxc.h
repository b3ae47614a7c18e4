/* mxc.h: the few names of the vendor's device library that its generated cnn.c uses, bound to the
 * registers themselves. Register addresses and bits: gcr_regs.h and gcfr_regs.h of ADI's MSDK for the
 * MAX78000 and the MAX78002, which differ in the source of the accelerator's clock. Names: what ai8x-synthesis writes (izer/toplevel.py, assets/device-all/templatecnn.h).
 * No interrupt is enabled here: the driver polls, and calls CNN_ISR itself. */
#ifndef MXC_H
#define MXC_H

#include <stdint.h>
#include <string.h>

#include "nb_max7800x_config.h"

typedef struct {
    volatile uint32_t reg0; /* 0x00: power, one bit per quadrant */
    volatile uint32_t reg1; /* 0x04: memories on */
    volatile uint32_t reg2; /* 0x08: isolation */
    volatile uint32_t reg3; /* 0x0C: reset */
} mxc_gcfr_regs_t;
#define MXC_GCFR ((mxc_gcfr_regs_t *)0x40005800u)

typedef struct {
    volatile uint32_t before[4];
    volatile uint32_t ipll_ctrl; /* 0x10: the MAX78002's PLL */
    volatile uint32_t after;
    volatile uint32_t pclkdiv; /* 0x18 */
    volatile uint32_t between[2];
    volatile uint32_t pclkdis0; /* 0x24; 1 = clock off */
} mxc_gcr_regs_t;
#define MXC_GCR ((mxc_gcr_regs_t *)0x40000000u)
#define MXC_F_GCR_PCLKDIV_CNNCLKDIV (7u << 14)
#define MXC_S_GCR_PCLKDIV_CNNCLKDIV_DIV1 (4u << 14)
#define MXC_S_GCR_PCLKDIV_CNNCLKDIV_DIV4 (1u << 14)
#if NB_MAX_PLL
#define MXC_F_GCR_PCLKDIV_CNNCLKSEL (3u << 17)
#else
#define MXC_F_GCR_PCLKDIV_CNNCLKSEL (1u << 17)
#endif
#define MXC_S_GCR_PCLKDIV_CNNCLKSEL_IPLL (3u << 17)
#define MXC_F_GCR_IPLL_CTRL_EN (1u << 0)
#define MXC_F_GCR_IPLL_CTRL_RDY (1u << 1)
#define MXC_S_GCR_PCLKDIV_CNNCLKSEL_PCLK 0u

#define MXC_SYS_PERIPH_CLOCK_CNN 25u /* bit of PCLKDIS0 */
#define CNN_IRQn 0

/* At least so long: a round takes four cycles or more of a core at 120 MHz or less. */
#define MSEC(milliseconds) ((milliseconds) * 1000u)
static inline void MXC_Delay(uint32_t us)
{
    for (volatile uint32_t rounds = us * 30u; rounds > 0; rounds--) {
    }
}
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

/* Its signals that the accelerator is at work: our own markers take their place. */
#define LED_On(number) ((void)(number))
#define LED_Off(number) ((void)(number))

/* The pin of a booster supply (cnn_boost_enable): no board of ours has one, nothing calls it. */
typedef struct {
    volatile uint32_t unused;
} mxc_gpio_regs_t;
typedef struct {
    mxc_gpio_regs_t *port;
    uint32_t mask;
    uint32_t pad;
    uint32_t func;
} mxc_gpio_cfg_t;
#define MXC_GPIO_PAD_NONE 0u
#define MXC_GPIO_FUNC_OUT 0u
#define MXC_GPIO_Config(config) ((void)(config))
#define MXC_GPIO_OutSet(port, mask) ((void)(port), (void)(mask))
#define MXC_GPIO_OutClr(port, mask) ((void)(port), (void)(mask))

#endif
