/* Built in a folder with the headers that Nordic's compiler made of a network, against the driver and
 * the simulator of the user's SDK. Every sample of codes.bin goes through the driver; outputs.bin gets
 * what comes back. The cycles are those of the simulator's model of the accelerator's performance:
 * of the first sample, then of each layer alone (they do not depend on the data). */
#include <assert.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "axon/nrf_axon_platform.h"
#include "axon/nrf_axon_platform_simulator.h"
#include "drivers/axon/nrf_axon_driver.h"
#include "drivers/axon/nrf_axon_nn_infer.h"
#include "drivers/axon/nrf_axon_nn_infer_test.h"

#define NRF_AXON_MODEL_ALLOCATE_PACKED_OUTPUT_BUFFER 0
#define AXON_LAYER_TEST_START_LAYER 0
#define AXON_LAYER_TEST_STOP_LAYER 100000

#include "nrf_axon_model_network_.h"
#include "nrf_axon_model_network_layers_.h"

extern bool simulator_in_threadless_mode;

static unsigned long long cycles_of(const nrf_axon_nn_compiled_model_s *model, const int8_t *input,
                                    int8_t *output)
{
    nrf_axon_simulator_perfmodel_enable();
    nrf_axon_simulator_perfmodel_init();
    if (nrf_axon_nn_model_infer_sync(model, input, output) < 0) {
        printf("npubench failed: inference\n");
        exit(1);
    }
    unsigned long long cycles = nrf_axon_simulator_perfmodel_get_cycles();
    nrf_axon_simulator_perfmodel_disable();
    return cycles;
}

int main(void)
{
    const nrf_axon_nn_model_layer_dimensions_s *in = &model_network.inputs[0].dimensions;
    const nrf_axon_nn_model_layer_dimensions_s *out = &model_network.output_dimensions;
    size_t in_bytes = (size_t)in->height * in->width * in->channel_cnt * in->byte_width;
    size_t out_bytes = (size_t)out->height * out->width * out->channel_cnt * out->byte_width;
    int8_t *input = malloc(in_bytes);
    int8_t *output = malloc(out_bytes + sizeof(int32_t));
    FILE *codes = fopen("codes.bin", "rb");
    FILE *answers = fopen("outputs.bin", "wb");
    if (input == NULL || output == NULL || codes == NULL || answers == NULL) {
        printf("npubench failed: files\n");
        return 1;
    }
    simulator_in_threadless_mode = true;
    if (nrf_axon_platform_init() < 0 || nrf_axon_nn_model_validate(&model_network) < 0) {
        printf("npubench failed: initialisation\n");
        return 1;
    }
    printf("npubench input %u %u %u %u\n", in->height, in->width, in->channel_cnt, in->byte_width);
    printf("npubench output %u %u %u %u %u %u %d\n", out->height, out->width, out->channel_cnt,
           out->byte_width, model_network.output_dequant_mult, model_network.output_dequant_round,
           model_network.output_dequant_zp);
    for (int sample = 0; fread(input, 1, in_bytes, codes) == in_bytes; ++sample) {
        if (sample == 0) {
            printf("npubench network %llu\n", cycles_of(&model_network, input, output));
        } else if (nrf_axon_nn_model_infer_sync(&model_network, input, output) < 0) {
            printf("npubench failed: inference\n");
            return 1;
        }
        fwrite(output, 1, out_bytes, answers);
        printf("npubench sample %d\n", sample + 1);
        fflush(stdout);
    }
    fclose(answers);
    size_t count = sizeof model_network_layer_list / sizeof *model_network_layer_list;
    for (size_t layer = 0; layer < count; ++layer) {
        const nrf_axon_nn_compiled_model_layer_s *one = model_network_layer_list[layer];
        if (one != NULL) {
            printf("npubench layer %zu %llu\n", layer, cycles_of(&one->base, NULL, NULL));
        }
    }
    nrf_axon_platform_close();
    return 0;
}
