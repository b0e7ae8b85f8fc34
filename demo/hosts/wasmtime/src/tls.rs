// SPDX-License-Identifier: MIT
//! The provider of wasi:tls: rustls with roots of the embedder's. wasmtime's own has the public roots, and no others.

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use std::pin::Pin;
use std::sync::Arc;
use tokio_rustls::TlsConnector;
use wasmtime::{Result, bail};
use wasmtime_wasi_tls::{Error, TlsProvider, TlsStream, TlsTransport};

/// PEM files.
#[derive(Default)]
pub struct Options {
    pub authorities: Vec<String>,
    pub certificate: Option<String>,
    pub key: Option<String>,
}

pub struct Provider(TlsConnector);

impl Provider {
    pub fn new(options: &Options) -> Result<Self> {
        let mut roots = RootCertStore::empty();
        for file in &options.authorities {
            for certificate in CertificateDer::pem_file_iter(file)? {
                roots.add(certificate?)?;
            }
        }
        let config = ClientConfig::builder().with_root_certificates(roots);
        let mut config = match (&options.certificate, &options.key) {
            (Some(certificate), Some(key)) => {
                let chain = CertificateDer::pem_file_iter(certificate)?.collect::<Result<_, _>>()?;
                config.with_client_auth_cert(chain, PrivateKeyDer::from_pem_file(key)?)?
            }
            (None, None) => config.with_no_client_auth(),
            _ => bail!("--cert and --key belong together"),
        };
        config.alpn_protocols = vec![b"http/1.1".to_vec()]; // the draft lets no guest ask for it
        Ok(Self(TlsConnector::from(Arc::new(config))))
    }
}

impl TlsProvider for Provider {
    fn connect(
        &self,
        server_name: String,
        transport: Box<dyn TlsTransport>,
    ) -> Pin<Box<dyn Future<Output = Result<Box<dyn TlsStream>, Error>> + Send>> {
        let connector = self.0.clone();
        Box::pin(async move {
            let name = ServerName::try_from(server_name).map_err(|_| Error::msg("this can't be a server's name"))?;
            match connector.connect(name, transport).await {
                Ok(stream) => Ok(Box::new(stream) as Box<dyn TlsStream>),
                Err(error) => Err(Error::msg(error)),
            }
        })
    }
}
