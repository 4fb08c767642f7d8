//! Attribute keys and values that look, and compress, like those of a web shop.
use fastrand::Rng;

use super::draft::Value;

const ROUTES: [&str; 6] = [
    "/api/products/{productId}",
    "/api/cart",
    "/api/checkout",
    "/api/recommendations",
    "/api/shipping/quote",
    "/api/users/{userId}/orders",
];
const METHODS: [&str; 4] = ["GET", "GET", "POST", "PUT"];
const STATUS_CODES: [i64; 6] = [200, 200, 200, 201, 404, 500];
const HOSTS: [&str; 4] = ["frontend", "checkout", "catalog", "payment"];
const AGENTS: [&str; 3] = [
    "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
    "python-requests/2.32.5",
    "okhttp/5.1.0",
];
const SERVICES: [&str; 6] = [
    "frontend", "cart", "checkout", "currency", "payment", "shipping",
];
const WORDS: [&str; 16] = [
    "order",
    "accepted",
    "customer",
    "inventory",
    "warehouse",
    "reserved",
    "payment",
    "pending",
    "shipment",
    "confirmed",
    "retry",
    "after",
    "upstream",
    "timeout",
    "while",
    "loading",
];

fn pick(rng: &mut Rng, from: &[&str]) -> String {
    rng.choice(from).copied().unwrap_or_default().to_owned()
}

/// The name of a service; beyond the known ones they are numbered.
pub(super) fn service_name(place: usize) -> String {
    SERVICES
        .get(place)
        .map_or_else(|| format!("service-{place}"), |name| (*name).to_owned())
}

/// The attribute at this place of an item: its key is the same in all items, its value is drawn.
pub(super) fn attribute(rng: &mut Rng, place: usize) -> (String, Value) {
    let (key, value) = match place {
        0 => ("http.route", Value::Text(pick(rng, &ROUTES))),
        1 => ("http.request.method", Value::Text(pick(rng, &METHODS))),
        2 => {
            let code = rng.choice(STATUS_CODES).unwrap_or_default();
            ("http.response.status_code", Value::Integer(code))
        }
        3 => ("server.address", Value::Text(pick(rng, &HOSTS))),
        4 => ("app.cache.hit", Value::Flag(rng.bool())),
        5 => ("server.port", Value::Integer(8080)),
        6 => (
            "app.user.id",
            Value::Text(format!("user-{:07}", rng.u32(..10_000_000))),
        ),
        7 => {
            let address = format!("10.{}.{}.{}", rng.u8(..), rng.u8(..), rng.u8(..));
            ("client.address", Value::Text(address))
        }
        8 => ("user_agent.original", Value::Text(pick(rng, &AGENTS))),
        9 => (
            "app.cart.total",
            Value::Number(f64::from(rng.u32(..100_000)) / 100.0),
        ),
        10 => ("network.protocol.version", Value::Text("1.1".to_owned())),
        11 => ("thread.id", Value::Integer(rng.i64(1..64))),
        _ => {
            return (
                format!("app.attribute.{place}"),
                Value::Text(format!("{:08x}", rng.u32(..))),
            );
        }
    };
    (key.to_owned(), value)
}

/// Words, cut off at exactly this many bytes.
pub(super) fn text(rng: &mut Rng, length: usize) -> String {
    let mut text = String::with_capacity(length + 16);
    while text.len() < length {
        text.push_str(&pick(rng, &WORDS));
        text.push(' ');
    }
    text.truncate(length);
    text
}
