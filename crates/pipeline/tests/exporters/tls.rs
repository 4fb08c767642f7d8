//! TLS and mTLS of both exporters, with certificates that the test makes, against the receivers' own settings.
use std::path::Path;
use std::sync::Arc;

use millrace_pipeline::component::{Outcome, Reason};
use millrace_pipeline::config::{ClientTls, Exporter, Sending, ServerTls};
use millrace_pipeline::exporters::build;
use millrace_pipeline::net::tls::server_config;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};

use crate::books;
use crate::endpoint::{Endpoint, grpc_ok, http_ok};
use crate::folder::Folder;
use crate::requests::span_batch;
use crate::settings::{otlp_grpc, otlp_http, sending};

/// An authority, and a server's and a client's certificate from it, as PEM files.
struct Authority {
    folder: Folder,
}

impl Authority {
    fn new() -> Self {
        let folder = Folder::new();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        folder.write("ca.pem", params.self_signed(&key).unwrap().pem());
        let issuer = Issuer::new(params, key);
        for (name, host) in [("server", "collector.test"), ("client", "client.test")] {
            let key = KeyPair::generate().unwrap();
            let certificate = CertificateParams::new(vec![host.to_owned()])
                .unwrap()
                .signed_by(&key, &issuer)
                .unwrap();
            folder.write(&format!("{name}.pem"), certificate.pem());
            folder.write(&format!("{name}.key"), key.serialize_pem());
        }
        Self { folder }
    }

    fn file(&self, name: &str) -> String {
        self.folder.path(name)
    }

    fn server(&self, min_version: &str, client_ca_file: Option<String>) -> ServerTls {
        ServerTls {
            cert_file: self.file("server.pem"),
            key_file: self.file("server.key"),
            client_ca_file,
            min_version: min_version.to_owned(),
            reload_interval_ms: None,
        }
    }

    /// A client that trusts this authority and expects its server.
    fn client(&self) -> ClientTls {
        ClientTls {
            ca_file: Some(self.file("ca.pem")),
            cert_file: None,
            key_file: None,
            server_name_override: Some("collector.test".to_owned()),
            insecure_skip_verify: false,
            min_version: "1.2".to_owned(),
            reload_interval_ms: None,
        }
    }
}

async fn endpoint(tls: &ServerTls) -> Endpoint {
    let config = server_config("receivers.otlp.protocols.http.tls", tls).unwrap();
    let is_grpc = |headers: &http::HeaderMap| headers["content-type"] == "application/grpc";
    Endpoint::with_tls(Some(config), move |_, request| {
        if is_grpc(&request.headers) {
            grpc_ok()
        } else {
            http_ok()
        }
    })
    .await
}

fn exporters(endpoint: &Endpoint, tls: Option<ClientTls>) -> [Exporter; 2] {
    let url = format!("https://{}", endpoint.address);
    let sending = Sending { tls, ..sending() };
    [
        otlp_http(&url, "proto", sending.clone()),
        otlp_grpc(&url, sending),
    ]
}

async fn send(exporter: &Exporter) -> Outcome {
    build(exporter, books::context(&Arc::default()))
        .unwrap()
        .consume(span_batch(&["a"]))
        .await
}

fn problem(tls: ClientTls) -> String {
    let exporter = otlp_http(
        "https://localhost:1",
        "proto",
        Sending {
            tls: Some(tls),
            ..sending()
        },
    );
    build(&exporter, books::context(&Arc::default()))
        .err()
        .unwrap()
        .to_string()
}

#[tokio::test]
async fn a_server_whose_authority_is_trusted_gets_the_data_over_http_2() {
    let authority = Authority::new();
    for version in ["1.2", "1.3"] {
        let endpoint = endpoint(&authority.server(version, None)).await;
        for exporter in exporters(&endpoint, Some(authority.client())) {
            assert_eq!(
                send(&exporter).await.map_err(|refusal| refusal.message),
                Ok(())
            );
        }
        assert!(
            endpoint
                .arrived()
                .iter()
                .all(|request| request.version == http::Version::HTTP_2)
        );
    }
}

#[tokio::test]
async fn a_server_that_cannot_be_verified_gets_nothing() {
    let (authority, other) = (Authority::new(), Authority::new());
    let endpoint = endpoint(&authority.server("1.2", None)).await;
    let other_name = ClientTls {
        server_name_override: None,
        ..authority.client()
    };
    for tls in [None, Some(other.client()), Some(other_name)] {
        for exporter in exporters(&endpoint, tls.clone()) {
            let refusal = send(&exporter).await.unwrap_err();
            assert_eq!(refusal.reason, Reason::RetriesExhausted);
            assert!(
                refusal.message.contains("certificate"),
                "{}",
                refusal.message
            );
        }
    }
    assert!(endpoint.arrived().is_empty());
}

#[tokio::test]
async fn insecure_skip_verify_takes_any_certificate() {
    let authority = Authority::new();
    for version in ["1.2", "1.3"] {
        let endpoint = endpoint(&authority.server(version, None)).await;
        let tls = ClientTls {
            ca_file: None,
            server_name_override: None,
            insecure_skip_verify: true,
            ..authority.client()
        };
        for exporter in exporters(&endpoint, Some(tls)) {
            assert!(send(&exporter).await.is_ok());
        }
    }
}

#[tokio::test]
async fn mtls_demands_a_certificate_of_the_clients_authority() {
    let (authority, other) = (Authority::new(), Authority::new());
    let endpoint = endpoint(&authority.server("1.2", Some(authority.file("ca.pem")))).await;
    let with = |from: &Authority| ClientTls {
        cert_file: Some(from.file("client.pem")),
        key_file: Some(from.file("client.key")),
        ..authority.client()
    };
    for (tls, taken) in [
        (with(&authority), true),
        (with(&other), false),
        (authority.client(), false),
    ] {
        for exporter in exporters(&endpoint, Some(tls.clone())) {
            assert_eq!(send(&exporter).await.is_ok(), taken);
        }
    }
    assert_eq!(endpoint.arrived().len(), 2);
}

#[tokio::test]
async fn a_client_that_is_too_old_for_the_servers_least_version_gets_no_connection() {
    let authority = Authority::new();
    let mut server =
        rustls::ServerConfig::clone(&server_config("tls", &authority.server("1.2", None)).unwrap());
    // Only TLS 1.2 is left on the server's side.
    let provider = Arc::clone(server.crypto_provider());
    let resolver = Arc::clone(&server.cert_resolver);
    server = rustls::ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS12])
        .unwrap()
        .with_no_client_auth()
        .with_cert_resolver(resolver);
    let endpoint = Endpoint::with_tls(Some(Arc::new(server)), |_, _| http_ok()).await;
    let [modern, _] = exporters(
        &endpoint,
        Some(ClientTls {
            min_version: "1.3".to_owned(),
            ..authority.client()
        }),
    );
    assert!(send(&modern).await.is_err());
    let [both, _] = exporters(&endpoint, Some(authority.client()));
    assert!(send(&both).await.is_ok());
}

#[tokio::test]
async fn x12_without_http_2_on_the_server_the_client_falls_back_to_http_1() {
    let authority = Authority::new();
    let mut server =
        rustls::ServerConfig::clone(&server_config("tls", &authority.server("1.2", None)).unwrap());
    server.alpn_protocols = vec![b"http/1.1".to_vec()];
    let endpoint = Endpoint::with_tls(Some(Arc::new(server)), |_, _| http_ok()).await;
    let [exporter, _] = exporters(&endpoint, Some(authority.client()));
    assert!(send(&exporter).await.is_ok());
    assert_eq!(endpoint.arrived()[0].version, http::Version::HTTP_11);
}

#[test]
fn files_and_settings_that_cannot_work_are_named() {
    let authority = Authority::new();
    let server = |change: fn(&mut ServerTls, &Authority)| {
        let mut tls = authority.server("1.2", None);
        change(&mut tls, &authority);
        server_config("receivers.otlp.protocols.grpc.tls", &tls)
            .unwrap_err()
            .to_string()
    };
    let missing = server(|tls, _| tls.cert_file = "/no/such.pem".to_owned());
    assert!(
        missing.starts_with(
            "receivers.otlp.protocols.grpc.tls.cert_file: the PEM file \"/no/such.pem\""
        ),
        "{missing}"
    );
    let no_certificate = server(|tls, authority| tls.cert_file = authority.file("server.key"));
    assert!(
        no_certificate.ends_with("it holds no section BEGIN CERTIFICATE"),
        "{no_certificate}"
    );
    let no_key = server(|tls, authority| tls.key_file = authority.file("server.pem"));
    assert!(
        no_key.starts_with("receivers.otlp.protocols.grpc.tls.key_file: "),
        "{no_key}"
    );
    let other_key = server(|tls, authority| tls.key_file = authority.file("client.key"));
    assert!(
        other_key.starts_with("receivers.otlp.protocols.grpc.tls.cert_file: "),
        "{other_key}"
    );
    let version = server(|tls, _| tls.min_version = "1.0".to_owned());
    assert!(
        version.contains("expected \"1.2\" or \"1.3\", got \"1.0\""),
        "{version}"
    );
}

#[tokio::test]
async fn half_a_client_certificate_is_named() {
    let authority = Authority::new();
    let only_key = ClientTls {
        key_file: Some(authority.file("client.key")),
        ..authority.client()
    };
    assert_eq!(
        problem(only_key),
        "exporters.out.tls: key_file needs cert_file beside it; set both or neither"
    );
    let no_file = ClientTls {
        ca_file: Some(Path::new("/no/ca.pem").display().to_string()),
        ..authority.client()
    };
    assert!(
        problem(no_file)
            .starts_with("exporters.out.tls.ca_file: the PEM file \"/no/ca.pem\" cannot be used")
    );
}
