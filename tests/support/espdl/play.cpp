/* The driver around the stand-in: codes from stdin, the driver's answer to stdout, its errors as the
 * exit code. The arguments say what the model is: type and exponent of its input, of its output, the
 * output's size and name. */
#include <cmath>
#include <cstdio>
#include <cstdlib>

#include "dl_model_base.hpp"

extern "C" {
#include "nb_npu.h"
extern uint8_t nb_arena[];
extern const uint8_t nb_espdl[];
uint8_t nb_arena[2 * COUNT];
const uint8_t nb_espdl[16] = {0};
}

static int32_t input_data[COUNT], output_data[COUNT];
static dl::TensorBase input{COUNT, dl::DATA_TYPE_INT8, 0, input_data};
static dl::TensorBase output{COUNT, dl::DATA_TYPE_INT8, 0, output_data};
static std::string output_name;

dl::Model::Model(const char *, fbs::model_location_type_t)
{
}
dl::Model::~Model()
{
}
dl::TensorBase *dl::Model::get_input(const std::string &name)
{
    return name == "in" ? &input : nullptr;
}
dl::TensorBase *dl::Model::get_output(const std::string &name)
{
    return name == output_name ? &output : nullptr;
}

static double saturated(double value, double high)
{
    const double code = std::nearbyint(value);
    return code > high ? high : code < -high - 1 ? -high - 1 : code;
}

void dl::Model::run()
{
    for (int i = 0; i < COUNT; i++) {
        const int code = input.dtype == dl::DATA_TYPE_INT16 ? static_cast<int16_t *>(input.data)[i]
                                                            : static_cast<int8_t *>(input.data)[i];
        const double real = std::ldexp(code, input.exponent);
        const double steps = std::ldexp(real, -output.exponent);
        if (output.dtype == dl::DATA_TYPE_FLOAT) {
            static_cast<float *>(output.data)[i] = static_cast<float>(real);
        } else if (output.dtype == dl::DATA_TYPE_INT16) {
            static_cast<int16_t *>(output.data)[i] = static_cast<int16_t>(saturated(steps, 32767));
        } else {
            static_cast<int8_t *>(output.data)[i] = static_cast<int8_t>(saturated(steps, 127));
        }
    }
}

int main(int, char **words)
{
    input.dtype = static_cast<dl::dtype_t>(std::atoi(words[1]));
    input.exponent = std::atoi(words[2]);
    output.dtype = static_cast<dl::dtype_t>(std::atoi(words[3]));
    output.exponent = std::atoi(words[4]);
    output.size = std::atoi(words[5]);
    output_name = words[6];
    if (std::fread(nb_arena, 1, COUNT, stdin) != COUNT) {
        return 100;
    }
    int32_t error = nb_npu_init();
    if (error == 0) {
        error = nb_npu_run(0);
    }
    std::fwrite(nb_arena + COUNT, 1, COUNT, stdout);
    return -error;
}
