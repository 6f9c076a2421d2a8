// Marks what the shared library libarca exports. Everything is compiled with hidden visibility; a declaration in
// include/arca that has its body in src/ carries ARCA_EXPORT:
//   - free functions:            ARCA_EXPORT Result<Telemetry> start(const Config& config);
//   - classes with code in src/: class ARCA_EXPORT Telemetry { ... };   (exports members, vtable and type info)
//   - classes thrown or caught by users, or derived from by them: the class, even if it is header-only.
// Header-only structs, enums and templates need nothing. The test "package.consumer" links a program against the
// installed library alone, so a forgotten mark is found there. Used by every public header.
#pragma once

#define ARCA_EXPORT __attribute__((visibility("default")))
