// SPDX-License-Identifier: MIT
//! The functions of `porthole/client.h` that a plugin needs, as they are in C. The host's functions are imports of
//! `porthole_host_v1`, which libporthole.a brings.

use std::os::raw::{c_char, c_void};

/// Opaque: it lives in memory that was given to `porthole_client_init`.
#[repr(C)]
pub struct porthole_client {
    _private: [u8; 0],
}

/// Bytes that are valid until the next call on the client.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct porthole_span {
    pub data: *const u8,
    pub length: usize,
}

/// A header: spans into the response's head.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct porthole_field {
    pub name: porthole_span,
    pub value: porthole_span,
}

pub const PORTHOLE_CLIENT_OVERHEAD: usize = 3072;
pub const PORTHOLE_CLIENT_SEND: usize = 16384;
pub const PORTHOLE_CLIENT_RECEIVE: usize = 4096;

extern "C" {
    pub fn porthole_client_init(memory: *mut c_void, size: usize, host: *const c_char, port: u32) -> *mut porthole_client;
    pub fn porthole_client_set_timeout(client: *mut porthole_client, timeout_ms: i32);
    pub fn porthole_client_use_tls(client: *mut porthole_client);
    pub fn porthole_client_request(
        client: *mut porthole_client,
        method: *const c_char,
        url: *const c_char,
        body: *const c_void,
        length: usize,
        headers: *const *const c_char,
    ) -> i32;
    pub fn porthole_client_getresponse(client: *mut porthole_client) -> i32;
    pub fn porthole_client_reason(client: *const porthole_client) -> porthole_span;
    pub fn porthole_client_header(client: *const porthole_client, index: u32, field: *mut porthole_field) -> i32;
    pub fn porthole_client_read(client: *mut porthole_client, buffer: *mut c_void, length: usize) -> i32;
    pub fn porthole_client_error(client: *const porthole_client, buffer: *mut c_char, size: usize) -> *const c_char;
    pub fn porthole_client_close(client: *mut porthole_client);
}
