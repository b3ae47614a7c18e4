/* kat.c: known answers. What the host compares with the golden reference, byte by byte. */
#include "nb_harness.h"

#define OUT_BYTES 64u

static int32_t run_layers(void)
{
    int32_t status = nb_model_load(nb_fixture.input);
    for (uint32_t i = 0; i < NB_OP_COUNT && status == 0; i++) {
        status = nb_model_op(i);
        const nb_span tensor = nb_model_op_output(i);
        if (status == 0 && tensor.data != NULL) {
            nb_record("'t':'tensor','i':%u,'bytes':%u,'crc':'%x'", i, tensor.bytes,
                      nb_crc_of(tensor.data, tensor.bytes));
        }
    }
    return status;
}

/* A network that keeps state is asked from its first state on: all inferences but the last. */
static int32_t earlier(void)
{
    int32_t status = 0;
#ifdef NB_STATE_INFERENCES
    status = nb_model_init();
    for (uint32_t i = 1; i < NB_STATE_INFERENCES && status == 0; i++) {
        status = nb_engine_once();
    }
#endif
    return status;
}

void nb_kat(bool layers)
{
    if (!nb_engine_ready()) {
        return;
    }
    int32_t status = earlier();
    if (status == 0) {
        status = layers ? run_layers() : nb_engine_once();
    }
    if (status == 0) {
        status = nb_model_unload(nb_output);
    }
    if (status != 0) {
        nb_engine_error(status);
        return;
    }
    nb_record("'t':'kat','in':'%x','out':'%x'", nb_crc_of(nb_fixture.input, NB_INPUT_BYTES),
              nb_crc_of(nb_output, NB_OUTPUT_BYTES));
    for (uint32_t offset = 0; offset < NB_OUTPUT_BYTES; offset += OUT_BYTES) {
        const uint32_t left = NB_OUTPUT_BYTES - offset;
        nb_record("'t':'out','o':%u,'hex':'%h'", offset, &nb_output[offset],
                  left < OUT_BYTES ? left : OUT_BYTES);
    }
}
