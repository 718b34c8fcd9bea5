/* Convoy: trains and runs image CNNs on any OpenCL device. This header includes the rest. */
#ifndef CONVOY_H
#define CONVOY_H

#include "convoy/bench.h"
#include "convoy/check.h"
#include "convoy/dataset.h"
#include "convoy/device.h"
#include "convoy/error.h"
#include "convoy/fetch.h"
#include "convoy/image.h"
#include "convoy/model.h"
#include "convoy/npy.h"
#include "convoy/outputs.h"
#include "convoy/plot.h"
#include "convoy/report.h"
#include "convoy/run.h"
#include "convoy/scale.h"
#include "convoy/train.h"
#include "convoy/tune.h"
#include "convoy/version.h"

#endif
