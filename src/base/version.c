#include "convoy/version.h"

const char *convoy_version(void) { return CONVOY_VERSION; }
