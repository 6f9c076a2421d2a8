// The version of Arca, and of the OpenTelemetry API that a translation unit is compiled against.
#pragma once

#define ARCA_VERSION_MAJOR 0
#define ARCA_VERSION_MINOR 1
#define ARCA_VERSION_PATCH 0
#define ARCA_VERSION "0.1.0"
