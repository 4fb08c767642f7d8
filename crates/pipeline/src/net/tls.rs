//! TLS of both sides: from the files of a `tls` section to a rustls configuration, or the sentence that says why not.
use std::sync::Arc;
use std::time::Duration;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::server::WebPkiClientVerifier;
use rustls::{
    ClientConfig, DigitallySignedStruct, RootCertStore, ServerConfig, SignatureScheme,
    SupportedProtocolVersion,
};

use super::reload::Reloading;
use crate::config::{ClientTls, ServerTls, StartError};

/// Protocols that a listener offers; it tells them apart by their first bytes anyway.
const SERVER_PROTOCOLS: [&[u8]; 2] = [b"h2", b"http/1.1"];

const ONLY_TLS13: &[&SupportedProtocolVersion] = &[&rustls::version::TLS13];

/// What a listener uses for its next connection.
pub type ServerTlsFiles = Reloading<Arc<ServerConfig>>;

/// [`server_config`], read again as often as `reload_interval` says.
pub fn server_files(setting: &str, tls: &ServerTls) -> Result<ServerTlsFiles, StartError> {
    let files = [
        Some(&tls.cert_file),
        Some(&tls.key_file),
        tls.client_ca_file.as_ref(),
    ];
    let (name, settings) = (setting.to_owned(), tls.clone());
    Reloading::new(
        tls.reload_interval_ms.map(Duration::from_millis),
        files.into_iter().flatten().cloned().collect(),
        move || server_config(&name, &settings),
    )
}

/// [`client_config`] that offers `protocols`, read again as often as `reload_interval` says.
pub fn client_files(
    setting: &str,
    tls: Option<&ClientTls>,
    protocols: &'static [&'static [u8]],
) -> Result<Reloading<Arc<ClientConfig>>, StartError> {
    let files = tls.map_or([None, None, None], |tls| {
        [
            tls.ca_file.clone(),
            tls.cert_file.clone(),
            tls.key_file.clone(),
        ]
    });
    let interval = tls.and_then(|tls| tls.reload_interval_ms);
    let (name, settings) = (setting.to_owned(), tls.cloned());
    Reloading::new(
        interval.map(Duration::from_millis),
        files.into_iter().flatten().collect(),
        move || {
            let mut config = client_config(&name, settings.as_ref())?;
            config.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
            Ok(Arc::new(config))
        },
    )
}

/// The configuration of a listener; `setting` is where its `tls` section stands, for messages.
pub fn server_config(setting: &str, tls: &ServerTls) -> Result<Arc<ServerConfig>, StartError> {
    let provider = provider();
    let chain = certificates(setting, "cert_file", &tls.cert_file)?;
    let key = private_key(setting, "key_file", &tls.key_file)?;
    let versions = versions(setting, &tls.min_version)?;
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(versions)
        .map_err(|error| StartError::of(setting, error))?;
    let builder = match &tls.client_ca_file {
        None => builder.with_no_client_auth(),
        Some(file) => {
            let authorities = authorities(setting, "client_ca_file", file)?;
            let verifier =
                WebPkiClientVerifier::builder_with_provider(Arc::new(authorities), provider)
                    .build()
                    .map_err(|error| unusable(setting, "client_ca_file", file, error))?;
            builder.with_client_cert_verifier(verifier)
        }
    };
    let mut config = builder.with_single_cert(chain, key).map_err(|error| {
        unusable(
            setting,
            "cert_file",
            &tls.cert_file,
            format_args!("with {}: {error}", tls.key_file),
        )
    })?;
    config.alpn_protocols = SERVER_PROTOCOLS.map(<[u8]>::to_vec).to_vec();
    Ok(Arc::new(config))
}

/// The configuration of an exporter; without a `tls` section, the machine's own authorities are trusted.
fn client_config(setting: &str, tls: Option<&ClientTls>) -> Result<ClientConfig, StartError> {
    let provider = provider();
    let versions = versions(setting, tls.map_or("1.2", |tls| &tls.min_version))?;
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(versions)
        .map_err(|error| StartError::of(setting, error))?;
    let builder = match tls {
        Some(tls) if tls.insecure_skip_verify => builder
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(AnyCertificate(provider))),
        Some(ClientTls {
            ca_file: Some(file),
            ..
        }) => builder.with_root_certificates(authorities(setting, "ca_file", file)?),
        _ => builder.with_root_certificates(machine_authorities(setting)?),
    };
    let (certificate, key) = tls.map_or((None, None), |tls| {
        (tls.cert_file.as_ref(), tls.key_file.as_ref())
    });
    match (certificate, key) {
        (None, None) => Ok(builder.with_no_client_auth()),
        (Some(certificate), Some(key)) => builder
            .with_client_auth_cert(
                certificates(setting, "cert_file", certificate)?,
                private_key(setting, "key_file", key)?,
            )
            .map_err(|error| {
                unusable(
                    setting,
                    "cert_file",
                    certificate,
                    format_args!("with {key}: {error}"),
                )
            }),
        (Some(_), None) => Err(StartError::of(
            setting,
            "cert_file needs key_file beside it; set both or neither",
        )),
        (None, Some(_)) => Err(StartError::of(
            setting,
            "key_file needs cert_file beside it; set both or neither",
        )),
    }
}

/// A configuration that trusts nobody, for clients of plain `http` URLs: the connector wants one, and reading
/// the machine's authorities would cost memory for nothing.
pub fn no_tls() -> Result<Reloading<Arc<ClientConfig>>, StartError> {
    Reloading::new(None, Vec::new(), trust_nobody)
}

fn trust_nobody() -> Result<Arc<ClientConfig>, StartError> {
    ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map(|builder| {
            let trusting = builder.with_root_certificates(RootCertStore::empty());
            Arc::new(trusting.with_no_client_auth())
        })
        .map_err(|error| StartError::of("tls", error))
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

fn versions(
    setting: &str,
    least: &str,
) -> Result<&'static [&'static SupportedProtocolVersion], StartError> {
    match least {
        "1.2" => Ok(rustls::ALL_VERSIONS),
        "1.3" => Ok(ONLY_TLS13),
        other => Err(StartError::of(
            &format!("{setting}.min_version"),
            format_args!(
                "expected \"1.2\" or \"1.3\", got {other:?}; older versions are broken and not supported"
            ),
        )),
    }
}

fn certificates(
    setting: &str,
    key: &str,
    file: &str,
) -> Result<Vec<CertificateDer<'static>>, StartError> {
    let chain: Vec<_> = CertificateDer::pem_file_iter(file)
        .and_then(Iterator::collect)
        .map_err(|error| unusable(setting, key, file, error))?;
    if chain.is_empty() {
        return Err(unusable(
            setting,
            key,
            file,
            "it holds no section BEGIN CERTIFICATE",
        ));
    }
    Ok(chain)
}

fn private_key(setting: &str, key: &str, file: &str) -> Result<PrivateKeyDer<'static>, StartError> {
    PrivateKeyDer::from_pem_file(file).map_err(|error| unusable(setting, key, file, error))
}

fn authorities(setting: &str, key: &str, file: &str) -> Result<RootCertStore, StartError> {
    let mut store = RootCertStore::empty();
    for certificate in certificates(setting, key, file)? {
        store
            .add(certificate)
            .map_err(|error| unusable(setting, key, file, error))?;
    }
    Ok(store)
}

fn machine_authorities(setting: &str) -> Result<RootCertStore, StartError> {
    let mut store = RootCertStore::empty();
    // Single certificates that cannot be read are common on old machines; only none at all is a problem.
    store.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if store.is_empty() {
        return Err(StartError::of(
            setting,
            "this machine has no certificate authorities; install its ca-certificates package or set ca_file",
        ));
    }
    Ok(store)
}

fn unusable(setting: &str, key: &str, file: &str, problem: impl std::fmt::Display) -> StartError {
    StartError::of(
        &format!("{setting}.{key}"),
        format_args!("the PEM file {file:?} cannot be used: {problem}"),
    )
}

/// `insecure_skip_verify`: whoever answers is believed, though the handshake itself must still be sound.
#[derive(Debug)]
struct AnyCertificate(Arc<CryptoProvider>);

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(
            message,
            certificate,
            signature,
            &self.0.signature_verification_algorithms,
        )
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(
            message,
            certificate,
            signature,
            &self.0.signature_verification_algorithms,
        )
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
