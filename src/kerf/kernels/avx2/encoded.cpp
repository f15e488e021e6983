// The encoded formats of this folder.
#include "kerf/kernels/avx2/encoded.h"

#include "kerf/kernels/avx2/blocks.h"
#include "kerf/kernels/encoded_rows.h"

namespace kerf::kernels::avx2 {

const EncodedRows encoded_rows[kEncodedFormats] = {
    numbers<F32>(), numbers<F16>(), numbers<BF16>(), blocks<Q8_0>(),   blocks<Q4_0>(),
    blocks<Q4_1>(), blocks<Q5_0>(), blocks<Q5_1>(),  blocks<IQ4_NL>(), blocks<Q4_K>(),
    blocks<Q5_K>(), blocks<Q6_K>(), blocks<Q3_K>(),  blocks<Q2_K>(),   blocks<IQ4_XS>()};

}  // namespace kerf::kernels::avx2
