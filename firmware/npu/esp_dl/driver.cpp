/* driver.cpp: Espressif's ESP-DL on the ESP32-S3 behind nb_npu.h, around the .espdl file that
 * esp-ppq wrote (nb_espdl, among the network's constants, 16-byte aligned as ESP-DL wants it).
 *
 * The network's int8 become ESP-DL's codes, whose scale is a power of two, and its outputs become
 * the network's int8, with the same roundings as the known answer's. A softmax's output is float:
 * ESP-DL computes it on real numbers, from 8 and from 16 bits. Errors: -1 the model gave no tensor
 * of that name (it could not be loaded, or it is another), -2 a tensor is of another size or type,
 * -3 no such job. Agrees with the public headers of ESP-DL 3.2.0 to 3.3.9; nobody here has built it
 * with ESP-IDF. */
#include <cmath>
#include <cstddef>
#include <cstdint>

#include "dl_model_base.hpp"

#include "nb_esp_dl_config.h"

extern "C" {
#include "nb_npu.h"

extern uint8_t nb_arena[];
extern const uint8_t nb_espdl[];
}

namespace
{

constexpr int32_t e_name = -1;
constexpr int32_t e_tensor = -2;
constexpr int32_t e_job = -3;

struct place {
    const char *name;
    uint32_t offset; /* in the arena */
    uint32_t count;
    int32_t zero;
    float scale;
};

const place inputs[] = NB_ESP_DL_INPUTS;
const place outputs[] = NB_ESP_DL_OUTPUTS;

dl::Model *model;

bool is_integer(const dl::TensorBase *tensor)
{
    return tensor->dtype == dl::DATA_TYPE_INT8 || tensor->dtype == dl::DATA_TYPE_INT16;
}

/* Whether a tensor is there and of the network's size; only an output may be float. */
int32_t checked(const dl::TensorBase *tensor, const place &at, bool may_be_float)
{
    if (tensor == nullptr) {
        return e_name;
    }
    const bool is_known =
        is_integer(tensor) || (may_be_float && tensor->dtype == dl::DATA_TYPE_FLOAT);
    return is_known && tensor->size == static_cast<int>(at.count) ? 0 : e_tensor;
}

float clamped(float value, float low, float high)
{
    return value < low ? low : value > high ? high : value;
}

/* Rounded half to even, as esp-ppq's executor does. */
void write_input(dl::TensorBase *tensor, const place &at)
{
    const auto *codes = reinterpret_cast<const int8_t *>(nb_arena + at.offset);
    const float steps = std::ldexp(1.0f, -static_cast<int>(tensor->exponent));
    const bool is_wide = tensor->dtype == dl::DATA_TYPE_INT16;
    const float high = is_wide ? 32767.0f : 127.0f;
    for (uint32_t i = 0; i < at.count; i++) {
        const float real = static_cast<float>(codes[i] - at.zero) * at.scale;
        const float code = clamped(std::nearbyint(real * steps), -high - 1.0f, high);
        if (is_wide) {
            static_cast<int16_t *>(tensor->data)[i] = static_cast<int16_t>(code);
        } else {
            static_cast<int8_t *>(tensor->data)[i] = static_cast<int8_t>(code);
        }
    }
}

/* The exponent of a float tensor means nothing. */
float real_value(const dl::TensorBase *tensor, uint32_t i)
{
    if (tensor->dtype == dl::DATA_TYPE_FLOAT) {
        return static_cast<const float *>(tensor->data)[i];
    }
    const int32_t code = tensor->dtype == dl::DATA_TYPE_INT16
                             ? static_cast<const int16_t *>(tensor->data)[i]
                             : static_cast<const int8_t *>(tensor->data)[i];
    return std::ldexp(static_cast<float>(code), static_cast<int>(tensor->exponent));
}

/* Rounded half up, then clamped, as the host's known answer is. */
void read_output(const dl::TensorBase *tensor, const place &at)
{
    auto *codes = reinterpret_cast<int8_t *>(nb_arena + at.offset);
    for (uint32_t i = 0; i < at.count; i++) {
        const float real = real_value(tensor, i);
        const float code = std::floor(real / at.scale + 0.5f) + static_cast<float>(at.zero);
        codes[i] = static_cast<int8_t>(clamped(code, -128.0f, 127.0f));
    }
}

} // namespace

extern "C" {

int32_t nb_npu_init(void)
{
    if (model == nullptr) {
        model = new dl::Model(reinterpret_cast<const char *>(nb_espdl),
                              fbs::MODEL_LOCATION_IN_FLASH_RODATA);
    }
    for (const place &at : inputs) {
        const int32_t error = checked(model->get_input(at.name), at, false);
        if (error != 0) {
            return error;
        }
    }
    for (const place &at : outputs) {
        const int32_t error = checked(model->get_output(at.name), at, true);
        if (error != 0) {
            return error;
        }
    }
    return 0;
}

int32_t nb_npu_run(uint32_t job)
{
    if (job != 0) {
        return e_job;
    }
    for (const place &at : inputs) {
        write_input(model->get_input(at.name), at);
    }
    model->run();
    for (const place &at : outputs) {
        read_output(model->get_output(at.name), at);
    }
    return 0;
}

/* The core's own counter is the harness's; ESP-DL has none. */
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
}
}
