// SPDX-License-Identifier: MIT
//! A client that owns its memory, and whose errors are texts.

use porthole_sys::*;
use std::ffi::{CStr, CString};
use std::ptr::null;

const RECEIVE: usize = 65536;
const TIMEOUT_MS: i32 = 30000;

/// One connection. Its memory does not move: the client points into it.
pub struct Client {
    client: *mut porthole_client,
    _memory: Box<[u64]>,
}

impl Client {
    /// A client for "host" or "host:port". Nothing is opened yet.
    pub fn new(authority: &str, tls: bool) -> Result<Client, String> {
        let host = c_string(authority)?;
        let mut memory = vec![0u64; (PORTHOLE_CLIENT_OVERHEAD + PORTHOLE_CLIENT_SEND + RECEIVE) / 8].into_boxed_slice();
        // The host is copied; the memory lives as long as what points to it.
        let client = unsafe { porthole_client_init(memory.as_mut_ptr().cast(), memory.len() * 8, host.as_ptr(), 0) };
        assert!(!client.is_null(), "the memory is as large as porthole/client.h wants it");
        unsafe {
            porthole_client_set_timeout(client, TIMEOUT_MS);
            if tls {
                porthole_client_use_tls(client);
            }
        }
        Ok(Client { client, _memory: memory })
    }

    /// Sends a GET and waits for its head. Returns the status and the reason.
    pub fn get(&mut self, target: &str) -> Result<(i32, String), String> {
        let target = c_string(target)?;
        let method = b"GET\0".as_ptr().cast();
        let sent = unsafe { porthole_client_request(self.client, method, target.as_ptr(), null(), 0, null()) };
        let status = if sent == 0 { unsafe { porthole_client_getresponse(self.client) } } else { sent };
        if status < 0 {
            return Err(self.error());
        }
        let reason = unsafe { porthole_client_reason(self.client) };
        let reason = if reason.length == 0 { &[][..] } else { unsafe { std::slice::from_raw_parts(reason.data, reason.length) } };
        Ok((status, reason.iter().map(|&byte| byte as char).collect()))
    }

    /// Reads on. Returns 0 at the end of the body.
    pub fn read(&mut self, to: &mut [u8]) -> Result<usize, String> {
        let got = unsafe { porthole_client_read(self.client, to.as_mut_ptr().cast(), to.len()) };
        usize::try_from(got).map_err(|_| self.error())
    }

    fn error(&self) -> String {
        let mut words = [0u8; 400];
        let text = unsafe { CStr::from_ptr(porthole_client_error(self.client, words.as_mut_ptr().cast(), words.len())) };
        text.to_string_lossy().into_owned()
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        unsafe { porthole_client_close(self.client) }
    }
}

fn c_string(text: &str) -> Result<CString, String> {
    CString::new(text).map_err(|_| "a zero in a text".to_string())
}
