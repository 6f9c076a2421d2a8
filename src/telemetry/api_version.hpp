// Which version of opentelemetry-cpp this is compiled against. Used where its headers differ: from 1.19 on, all 1.x
// are supported.
#pragma once

#include "opentelemetry/version.h"

#define ARCA_API_AT_LEAST(minor) (OPENTELEMETRY_VERSION_MAJOR * 1000 + OPENTELEMETRY_VERSION_MINOR >= 1000 + (minor))
