// SPDX-License-Identifier: MIT
//! A plugin in Rust: it gets the URLs that are its arguments, as far as its host lets it, and streams what they answer.
//! The four exports are those of `demo/guests/guest.h`.

mod client;

use client::Client;

const MORE: i32 = -1;

struct Guest {
    arguments: Vec<u8>,
    next: usize,
    client: Option<Client>,
    output: Vec<u8>,
}

// A guest has one thread, and its exports are not called while one of them runs.
static mut GUEST: Guest = Guest { arguments: Vec::new(), next: 0, client: None, output: Vec::new() };

fn guest() -> &'static mut Guest {
    unsafe { &mut *std::ptr::addr_of_mut!(GUEST) }
}

impl Guest {
    fn url(&self) -> Option<String> {
        let mut all = self.arguments.split(|&byte| byte == 0);
        let url = all.nth(self.next).filter(|url| !url.is_empty())?;
        Some(String::from_utf8_lossy(url).into_owned())
    }

    fn begin(&mut self, url: &str) -> Result<(), String> {
        let (tls, rest) = match (url.strip_prefix("https://"), url.strip_prefix("http://")) {
            (Some(rest), _) => (true, rest),
            (_, Some(rest)) => (false, rest),
            _ => return Err("no http:// or https:// URL".to_string()),
        };
        let rest = rest.split('#').next().unwrap_or_default();
        let (authority, target) = rest.split_at(rest.find(|one| one == '/' || one == '?').unwrap_or(rest.len()));
        let mut client = Client::new(authority, tls)?;
        let (status, reason) = client.get(target)?;
        self.output.extend(format!("{} {}\n", status, reason).into_bytes());
        self.client = Some(client);
        Ok(())
    }

    /// One piece of a response.
    fn step(&mut self, url: &str) -> Result<(), String> {
        if self.client.is_none() {
            self.begin(url)?;
        }
        let mut chunk = [0u8; 8192];
        let got = self.client.as_mut().map_or(Ok(0), |client| client.read(&mut chunk))?;
        self.output.extend_from_slice(&chunk[..got]);
        if got == 0 {
            self.client = None;
            self.next += 1;
        }
        Ok(())
    }
}

#[no_mangle]
pub extern "C" fn guest_arguments(size: u32) -> *mut u8 {
    guest().arguments = vec![0; size as usize];
    guest().arguments.as_mut_ptr()
}

#[no_mangle]
pub extern "C" fn guest_run() -> i32 {
    let guest = guest();
    guest.output.clear();
    let url = match guest.url() {
        Some(url) => url,
        None => return 0,
    };
    match guest.step(&url) {
        Ok(()) => MORE,
        Err(words) => {
            guest.client = None;
            guest.output.extend(format!("{}: {}\n", url, words).into_bytes());
            1
        }
    }
}

#[no_mangle]
pub extern "C" fn guest_output() -> *const u8 {
    guest().output.as_ptr()
}

#[no_mangle]
pub extern "C" fn guest_output_size() -> u32 {
    guest().output.len() as u32
}
