//! The linker's options: a soname, which cargo does not set, and never to be unloaded, because the client's threads and
//! thread-local destructors outlive a dlclose. Rust itself hides every symbol but the exported ones.
fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rustc-cdylib-link-arg=-Wl,-soname,libarca_cql.so.1");
    println!("cargo:rustc-cdylib-link-arg=-Wl,-z,nodelete");
    println!("cargo:rustc-cdylib-link-arg=-Wl,-z,defs");
}
