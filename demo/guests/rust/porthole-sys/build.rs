// SPDX-License-Identifier: MIT
//! Links libporthole.a, which `cmake --preset wasi-plain` builds. PORTHOLE_LIB_DIR says where it is.

fn main() {
    println!("cargo:rerun-if-env-changed=PORTHOLE_LIB_DIR");
    let folder = std::env::var("PORTHOLE_LIB_DIR").expect("PORTHOLE_LIB_DIR has to be the folder of libporthole.a");
    println!("cargo:rerun-if-changed={}/libporthole.a", folder);
    println!("cargo:rustc-link-search=native={}", folder);
    println!("cargo:rustc-link-lib=static=porthole");
}
