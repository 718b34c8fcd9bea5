/* Parameters of CLBlast's kernels, where a record knows better ones than CLBlast's own. */
#include <stdio.h>

#include "base/text.h"
#include "runtime/list.h"

/* Small matrices go through the direct kernel; large ones through Xgemm, which wants them padded. Each keeps the rules of the
 * kernel: a tile (WGD, MWG, NWG) is a multiple of work-items times vector width, and of work-items over the loading width. */
static const rt_gemm_setting settings[] = {
    {"XgemmDirect", "WGD=8 MDIMCD=8 NDIMCD=8 MDIMAD=8 NDIMBD=8 KWID=2 VWMD=1 VWND=1 PADA=1 PADB=1"},
    {"XgemmDirect", "WGD=16 MDIMCD=8 NDIMCD=8 MDIMAD=8 NDIMBD=8 KWID=2 VWMD=1 VWND=1 PADA=1 PADB=1"},
    {"XgemmDirect", "WGD=16 MDIMCD=16 NDIMCD=16 MDIMAD=16 NDIMBD=16 KWID=2 VWMD=1 VWND=1 PADA=1 PADB=1"},
    {"XgemmDirect", "WGD=32 MDIMCD=8 NDIMCD=8 MDIMAD=8 NDIMBD=8 KWID=2 VWMD=2 VWND=2 PADA=1 PADB=1"},
    {"XgemmDirect", "WGD=32 MDIMCD=16 NDIMCD=8 MDIMAD=16 NDIMBD=8 KWID=2 VWMD=1 VWND=2 PADA=1 PADB=1"},
    {"XgemmDirect", "WGD=32 MDIMCD=16 NDIMCD=16 MDIMAD=16 NDIMBD=16 KWID=2 VWMD=2 VWND=2 PADA=1 PADB=1"},
    {"XgemmDirect", "WGD=64 MDIMCD=16 NDIMCD=16 MDIMAD=16 NDIMBD=16 KWID=2 VWMD=2 VWND=2 PADA=1 PADB=1"},
    {"Xgemm", "GEMMK=0 KREG=1 KWG=16 KWI=2 MDIMA=16 MDIMC=16 MWG=64 NDIMB=16 NDIMC=16 NWG=64 SA=1 SB=1 STRM=0 STRN=0 VWM=2 VWN=2"},
    {"Xgemm", "GEMMK=0 KREG=1 KWG=16 KWI=2 MDIMA=8 MDIMC=8 MWG=64 NDIMB=8 NDIMC=8 NWG=64 SA=1 SB=1 STRM=0 STRN=0 VWM=4 VWN=4"},
    {"Xgemm", "GEMMK=0 KREG=1 KWG=32 KWI=2 MDIMA=16 MDIMC=16 MWG=128 NDIMB=8 NDIMC=8 NWG=64 SA=1 SB=1 STRM=0 STRN=0 VWM=4 VWN=4"},
    {"Xgemm", "GEMMK=0 KREG=1 KWG=16 KWI=2 MDIMA=8 MDIMC=8 MWG=32 NDIMB=8 NDIMC=8 NWG=32 SA=1 SB=1 STRM=0 STRN=0 VWM=2 VWN=2"},
};

const rt_gemm_setting *rt_gemm_setting_at(size_t i)
{
    return i < sizeof settings / sizeof *settings ? &settings[i] : NULL;
}

void rt_gemm_key(const char *kernel, char *out, size_t size) { snprintf(out, size, "clblast %s", kernel); }

void gemm_apply_records(convoy_context *ctx)
{
    static const char *const kernels[] = {"XgemmDirect", "Xgemm"};
    for (size_t i = 0; i < sizeof kernels / sizeof *kernels; i++) {
        char key[64];
        convoy_error err;
        rt_gemm_key(kernels[i], key, sizeof key);
        const char *values = rt_record_find(ctx, key);
        if (values != NULL && rt_gemm_set(ctx, kernels[i], values, &err) != CONVOY_OK)
            rt_message(ctx, "a tuning record is left out: %s", err.message);
    }
}
