/* driver.c: the CNN accelerator of MAX78000 and MAX78002 behind nb_npu.h, around the C that ADI's
 * ai8xize generates (cnn.c, cnn.h, weights.h).
 *
 * The input is written into the accelerator's data memories while it stands still (they have one
 * port), in the stage `load`, or fed to its FIFOs while it runs; the network's int8 become the accelerator's by a table, its output
 * becomes the network's int8 by one multiplication per value. Errors: -1 the tool's code reports a
 * failure, -2 the accelerator does not come to an end, -3 no such job. */
#include <stddef.h>

#include "mxc.h" /* before cnn.h, which uses its types */

#include "cnn.h"
#include "nb_hal.h"
#include "nb_max7800x_config.h"
#include "nb_npu.h"

#define E_FAILED (-1)
#define E_TIMEOUT (-2)
#define E_JOB (-3)

#define ROUNDS 20000000u
#define CONTROL_DONE (1u << 12) /* of the first quadrant */
#define LANES 4u /* values in a word */
#define REGISTER(address) (*(volatile uint32_t *)(address))

extern uint8_t nb_arena[];
extern const int8_t nb_max7800x_input_table[256];

/* In the generated cnn.c, but in no header of it. */
void CNN_ISR(void);

/* The generated code's own: the time that it would have measured. */
extern volatile uint32_t cnn_time;
volatile uint32_t cnn_time;

typedef struct {
    uint32_t address; /* of the first word, or of the FIFO */
    uint32_t channel; /* the first */
} segment;
typedef struct {
    uint32_t offset; /* in the arena */
    uint32_t channels;
    uint32_t pixels;
    int32_t zero;
    float ratio;
} output_place;

static const segment segments[NB_MAX_SEGMENT_COUNT] = NB_MAX_SEGMENTS;
static const output_place outputs[NB_MAX_OUTPUT_COUNT] = NB_MAX_OUTPUTS;
static uint32_t unloaded[NB_MAX_UNLOADED_WORDS];

/* The MAX78002's accelerator computes at the PLL's 200 MHz, and is loaded at a quarter of that, as
 * ADI's tool does it by default. The MAX78000's has the peripherals' clock. */
#if NB_MAX_PLL
#define SOURCE MXC_S_GCR_PCLKDIV_CNNCLKSEL_IPLL
#define LOAD_DIVIDER MXC_S_GCR_PCLKDIV_CNNCLKDIV_DIV4
static void divide_clock(uint32_t divider)
{
    MXC_GCR->pclkdiv = (MXC_GCR->pclkdiv & ~MXC_F_GCR_PCLKDIV_CNNCLKDIV) | divider;
}
static void switch_pll(uint32_t on)
{
    MXC_GCR->ipll_ctrl = (MXC_GCR->ipll_ctrl & ~MXC_F_GCR_IPLL_CTRL_EN) | on;
}
#else
#define SOURCE MXC_S_GCR_PCLKDIV_CNNCLKSEL_PCLK
#define LOAD_DIVIDER MXC_S_GCR_PCLKDIV_CNNCLKDIV_DIV1
#define divide_clock(divider) ((void)(divider))
#define switch_pll(on) ((void)(on))
#endif

int32_t nb_npu_init(void)
{
    switch_pll(MXC_F_GCR_IPLL_CTRL_EN);
    if (cnn_enable(SOURCE, LOAD_DIVIDER) != CNN_OK || cnn_init() != CNN_OK ||
        cnn_load_weights() != CNN_OK || cnn_load_bias() != CNN_OK || cnn_configure() != CNN_OK) {
        return E_FAILED;
    }
    return 0;
}

static uint32_t lane_of(const uint8_t *input, uint32_t pixel, uint32_t channel, uint32_t lane)
{
    if (pixel >= NB_MAX_PIXELS || channel >= NB_MAX_CHANNELS) {
        return 0;
    }
    const uint8_t raw = input[pixel * NB_MAX_CHANNELS + channel];
    return (uint32_t)(uint8_t)nb_max7800x_input_table[raw] << (8u * lane);
}

/* Word `index` of a segment: four pixels of a channel, or of a pixel and a pass up to four channels;
 * the passes of a pixel follow one another. */
static uint32_t input_word(const uint8_t *input, uint32_t first, uint32_t index)
{
    uint32_t word = 0;
#if NB_MAX_PLANAR
    for (uint32_t lane = 0; lane < LANES; lane++) {
        word |= lane_of(input, index * LANES + lane, first, lane);
    }
#else
    const uint32_t channel = first + index % NB_MAX_PASSES * NB_MAX_PASS_CHANNELS;
    for (uint32_t lane = 0; lane < NB_MAX_LANES; lane++) {
        word |= lane_of(input, index / NB_MAX_PASSES, channel + lane, lane);
    }
#endif
    return word;
}

#if NB_MAX_FIFO
#define FIFO_STATUS 0x50000004u /* a bit for each that is full */
#define FIFO_DATA 0x50000008u

/* Word by word, all FIFOs in turn, while the accelerator runs. 0, or E_TIMEOUT. */
static int32_t feed_input(const uint8_t *input)
{
    for (uint32_t index = 0; index < NB_MAX_WORDS; index++) {
        for (uint32_t i = 0; i < NB_MAX_SEGMENT_COUNT; i++) {
            const uint32_t full = 1u << ((segments[i].address - FIFO_DATA) / 4u);
            const uint32_t word = input_word(input, segments[i].channel, index);
            uint32_t rounds = ROUNDS;
            while ((REGISTER(FIFO_STATUS) & full) != 0) {
                if (rounds-- == 0) {
                    return E_TIMEOUT;
                }
            }
            REGISTER(segments[i].address) = word;
        }
    }
    return 0;
}
#else
/* Only whole words may be written. */
static void write_input(const uint8_t *input)
{
    for (uint32_t i = 0; i < NB_MAX_SEGMENT_COUNT; i++) {
        volatile uint32_t *words = &REGISTER(segments[i].address);
        for (uint32_t index = 0; index < NB_MAX_WORDS; index++) {
            words[index] = input_word(input, segments[i].channel, index);
        }
    }
}
#endif

#if NB_MAX_OUTPUT_BYTES == 2
#define LOWEST (-32768)
#define HIGHEST 32767
#else
#define LOWEST (-128)
#define HIGHEST 127
#endif

/* Rounded half up, then clamped, as the host's known answer is. */
static int32_t converted(int32_t value, const output_place *place)
{
    const float scaled = (float)value * place->ratio + 0.5f;
    int32_t whole = (int32_t)scaled;
    if ((float)whole > scaled) {
        whole--;
    }
    whole += place->zero;
    return whole < LOWEST ? LOWEST : whole > HIGHEST ? HIGHEST : whole;
}

static int32_t unloaded_value(uint32_t index)
{
#if NB_MAX_OUTPUT_WIDE
    return (int32_t)unloaded[index];
#else
    return (int8_t)(unloaded[index / LANES] >> (8u * (index % LANES)));
#endif
}

/* Outputs one after the other, each channel by channel; the tensors are pixel by pixel. */
static void read_outputs(void)
{
    uint32_t begin = 0;
    for (uint32_t i = 0; i < NB_MAX_OUTPUT_COUNT; i++) {
        const output_place *place = &outputs[i];
        uint8_t *out = nb_arena + place->offset;
        for (uint32_t pixel = 0; pixel < place->pixels; pixel++) {
            for (uint32_t channel = 0; channel < place->channels; channel++) {
                const uint32_t index = begin + channel * place->pixels + pixel;
                const uint32_t value = (uint32_t)converted(unloaded_value(index), place);
                *out++ = (uint8_t)value;
#if NB_MAX_OUTPUT_BYTES == 2
                *out++ = (uint8_t)(value >> 8);
#endif
            }
        }
        begin += place->channels * place->pixels;
    }
}

#if !NB_MAX_FIFO
int32_t nb_npu_load(void)
{
    write_input(nb_arena + NB_MAX_INPUT_OFFSET);
    return 0;
}
#endif

int32_t nb_npu_run(uint32_t job)
{
    if (job != 0) {
        return E_JOB;
    }
    divide_clock(MXC_S_GCR_PCLKDIV_CNNCLKDIV_DIV1);
    if (cnn_start() != CNN_OK) {
        return E_FAILED;
    }
#if NB_MAX_FIFO
    const int32_t error = feed_input(nb_arena + NB_MAX_INPUT_OFFSET);
    if (error != 0) {
        return error;
    }
#endif
    uint32_t rounds = ROUNDS;
    while ((REGISTER(NB_MAX_CONTROL) & CONTROL_DONE) == 0) {
        if (rounds-- == 0) {
            return E_TIMEOUT;
        }
    }
    CNN_ISR();
    divide_clock(LOAD_DIVIDER);
    if (cnn_unload(unloaded) != CNN_OK) {
        return E_FAILED;
    }
    read_outputs();
    return 0;
}

/* The accelerator has no counters. */
void nb_npu_begin(uint32_t set)
{
    (void)set;
}

uint32_t nb_npu_counters(uint64_t *counters, uint32_t max)
{
    (void)counters;
    (void)max;
    return 0;
}

void nb_npu_off(void)
{
    (void)cnn_disable();
    switch_pll(0);
}
