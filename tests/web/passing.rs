//! What goes through the proxy: requests and answers as they are, but for a script in pages.

use std::io::{Read, Write};
use std::thread;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use http_body_util::{BodyExt, Empty};
use hyper::Request;
use hyper_util::rt::{TokioExecutor, TokioIo};

use crate::client::{Client, PAGE, get, request};
use crate::in_front_of;
use crate::upstream::Upstream;

const TEXT: &str = "<!doctype html><html><head><title>t</title></head><body>b</body></html>";

/// The page without the script in it, which has to be there once.
fn without_script(page: &str) -> String {
    let (before, rest) =
        page.split_once("<script src=\"/__stakeout/client.js\"").expect("a script");
    let (_, after) = rest.split_once("</script>").expect("its end");
    assert!(!after.contains("__stakeout"), "{page}");
    before.to_owned() + after
}

#[test]
fn a_page_has_the_script_and_is_otherwise_as_it_was() {
    let upstream = Upstream::page("etag: \"1\"\r\nx-own: yes\r\n", TEXT);
    let (_tree, _session, address) = in_front_of(&upstream, &[]);
    let mut client = Client::new(address);
    for _ in 0..2 {
        let answer = client.get("/a?b=c", &[PAGE]);
        assert_eq!(answer.status, 200);
        assert_eq!(without_script(&answer.text()), TEXT);
        assert_eq!(answer.header("x-own"), Some("yes"));
        assert_eq!(answer.header("etag"), None, "it is of the page without the script");
    }
    let asked = upstream.asked();
    assert!(asked.starts_with("GET /a?b=c HTTP/1.1\r\n"), "{asked}");
    for line in ["host: localhost", "x-forwarded-for: 127.0.0.1", "x-forwarded-host: localhost"] {
        assert!(asked.contains(line), "{line} in {asked}");
    }
}

#[test]
fn what_is_no_page_is_passed_on_to_the_byte() {
    let upstream = Upstream::page("etag: \"1\"\r\n", TEXT);
    let (_tree, _session, address) = in_front_of(&upstream, &[]);
    for lines in [
        "sec-fetch-dest: empty",
        "x-requested-with: XMLHttpRequest",
        "hx-request: true",
        "sec-fetch-dest: image",
    ] {
        let answer = get(address, "/", &[lines]);
        assert_eq!(
            (answer.text().as_str(), answer.header("etag")),
            (TEXT, Some("\"1\"")),
            "{lines}"
        );
        assert_eq!(answer.header("content-length"), Some(&*TEXT.len().to_string()));
    }
    let part = Upstream::page("", "<li>a part of a page</li>");
    let (_tree, _session, address) = in_front_of(&part, &[]);
    assert_eq!(get(address, "/", &["accept: */*"]).text(), "<li>a part of a page</li>");
    assert!(get(address, "/", &[PAGE]).text().contains("__stakeout"), "it is known to be a page");
}

#[test]
fn the_answer_to_a_head_and_a_304_stay_as_they_are() {
    let upstream = Upstream::new(|head, stream| {
        let status = if head.contains("if-none-match") { "304 Not Modified" } else { "200 OK" };
        let head = format!(
            "HTTP/1.1 {status}\r\ncontent-type: text/html\r\netag: \"1\"\r\ncontent-length: 7\r\n\r\n"
        );
        stream.get_mut().write_all(head.as_bytes()).is_ok()
    });
    let (_tree, _session, address) = in_front_of(&upstream, &[]);
    let mut client = Client::new(address);
    client.send(request("HEAD", "/", &[PAGE]));
    let answer = client.answer(false);
    assert_eq!((answer.status, answer.header("content-length")), (200, Some("7")));
    assert_eq!(answer.header("etag"), Some("\"1\""));
    let answer = client.get("/", &[PAGE, "if-none-match: \"1\""]);
    assert_eq!((answer.status, answer.header("etag")), (304, Some("\"1\"")));
}

#[test]
fn a_page_in_any_coding_has_the_script() {
    let gzip = {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(TEXT.as_bytes()).unwrap();
        encoder.finish().unwrap()
    };
    let zstd = ruzstd::encoding::compress_to_vec(
        TEXT.as_bytes(),
        ruzstd::encoding::CompressionLevel::Fastest,
    );
    for (coding, text) in [("gzip", gzip), ("zstd", zstd)] {
        let mut answer = format!(
            "HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-encoding: {coding}\r\n\
             content-length: {}\r\n\r\n",
            text.len()
        )
        .into_bytes();
        answer.extend(&text);
        let upstream = Upstream::saying(answer);
        let (_tree, _session, address) = in_front_of(&upstream, &[]);
        let answer = get(address, "/", &[PAGE, "accept-encoding: gzip, dcb, br, zstd"]);
        assert_eq!(answer.header("content-encoding"), None, "{coding}");
        assert_eq!(without_script(&answer.text()), TEXT, "{coding}");
        let asked = upstream.asked();
        assert!(asked.contains("accept-encoding: gzip, br, zstd\r\n"), "{asked}");
        // For a script, it stays as it is.
        let answer = get(address, "/", &["sec-fetch-dest: empty", "accept-encoding: dcb"]);
        assert_eq!((answer.body, answer.head.contains(coding)), (text, true));
        assert!(upstream.asked().contains("accept-encoding: dcb\r\n"));
    }
}

#[test]
fn a_page_with_a_policy_lets_the_script_through() {
    let upstream = Upstream::page("content-security-policy: default-src 'none'\r\n", TEXT);
    let (_tree, _session, address) = in_front_of(&upstream, &[]);
    let answer = get(address, "/", &[PAGE]);
    assert_eq!(
        answer.header("content-security-policy"),
        Some(
            "default-src 'none'; script-src localhost/__stakeout/; \
             connect-src localhost/__stakeout/"
        )
    );
    let upstream = Upstream::page("content-security-policy: script-src 'nonce-a\"b'\r\n", TEXT);
    let (_tree, _session, address) = in_front_of(&upstream, &[]);
    assert!(get(address, "/", &[PAGE]).text().contains("nonce=\"a&quot;b\""));
}

#[test]
fn bodies_stream_both_ways_without_being_kept() {
    const PART: usize = 1 << 20;
    const PARTS: usize = 32;
    // Answers each part of the body before the next one comes.
    let upstream = Upstream::new(|_, stream| {
        let head = b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n";
        stream.get_mut().write_all(head).unwrap();
        let mut line = String::new();
        for _ in 0..PARTS {
            let mut read = 0;
            while read < PART {
                line.clear();
                std::io::BufRead::read_line(stream, &mut line).unwrap();
                let length = usize::from_str_radix(line.trim(), 16).expect("a chunk");
                let mut chunk = vec![0; length + 2];
                stream.read_exact(&mut chunk).unwrap();
                read += length;
            }
            stream.get_mut().write_all(b"got it\n").unwrap();
        }
        false
    });
    let (_tree, _session, address) = in_front_of(&upstream, &[]);
    let mut client = Client::new(address);
    client.send(request("POST", "/", &["transfer-encoding: chunked"]));
    assert!(upstream.asked().contains("transfer-encoding: chunked"));
    let mut part = format!("{PART:x}\r\n").into_bytes();
    part.extend(vec![b'x'; PART]);
    part.extend(b"\r\n");
    client.send(&part);
    client.head().expect("an answer before the body has ended");
    for _ in 1..PARTS {
        assert_eq!(client.chunk().unwrap().unwrap(), b"got it\n");
        client.send(&part);
    }
    assert_eq!(client.chunk().unwrap().unwrap(), b"got it\n");
}

#[test]
fn a_websocket_goes_through() {
    let upstream = Upstream::new(|head, stream| {
        assert!(head.contains("upgrade: websocket\r\n"), "{head}");
        let answer = b"HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\n\
            upgrade: websocket\r\nsec-websocket-accept: x\r\n\r\nhello";
        stream.get_mut().write_all(answer).unwrap();
        let mut bytes = [0; 5];
        while stream.read_exact(&mut bytes).is_ok() {
            stream.get_mut().write_all(&bytes).unwrap();
        }
        false
    });
    let (_tree, _session, address) = in_front_of(&upstream, &[]);
    let mut client = Client::new(address);
    client.send(request("GET", "/", &["connection: keep-alive, Upgrade", "upgrade: websocket"]));
    let answer = client.answer(false);
    assert_eq!((answer.status, answer.header("upgrade")), (101, Some("websocket")));
    assert_eq!(answer.header("sec-websocket-accept"), Some("x"));
    assert_eq!(client.bytes(5).unwrap(), b"hello");
    client.send("world");
    assert_eq!(client.bytes(5).unwrap(), b"world");
}

#[test]
fn server_sent_events_come_one_by_one() {
    let upstream = Upstream::new(|_, stream| {
        let head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\ndata: 1\n\n";
        stream.get_mut().write_all(head).unwrap();
        // The rest never comes.
        thread::park();
        false
    });
    let (_tree, _session, address) = in_front_of(&upstream, &[]);
    let mut client = Client::new(address);
    client.send(request("GET", "/", &["accept: text/event-stream"]));
    client.head().unwrap();
    assert_eq!(client.chunk().unwrap().unwrap(), b"data: 1\n\n");
}

#[test]
fn http_2_is_understood_without_encryption() {
    let upstream = Upstream::page("", TEXT);
    let (_tree, _session, address) = in_front_of(&upstream, &[]);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let body = runtime.block_on(async {
        let stream = tokio::net::TcpStream::connect(address).await.unwrap();
        let handshake =
            hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream));
        let (mut sender, connection) = handshake.await.unwrap();
        tokio::spawn(connection);
        let request = Request::get(format!("http://{address}/x"))
            .header("sec-fetch-dest", "document")
            .header("cookie", "a=1")
            .header("cookie", "b=2")
            .body(Empty::<Bytes>::new());
        let answer = sender.send_request(request.unwrap()).await.unwrap();
        assert_eq!(answer.status(), 200);
        answer.into_body().collect().await.unwrap().to_bytes()
    });
    assert_eq!(without_script(std::str::from_utf8(&body).unwrap()), TEXT);
    let asked = upstream.asked();
    assert!(asked.starts_with("GET /x HTTP/1.1\r\n"), "{asked}");
    assert!(asked.contains("cookie: a=1; b=2\r\n"), "{asked}");
    assert!(asked.contains(&format!("host: {address}\r\n")), "{asked}");
}

#[test]
fn what_is_about_one_connection_is_not_passed_on() {
    let upstream = Upstream::saying(
        "HTTP/1.1 200 OK\r\nkeep-alive: timeout=5\r\nconnection: x-hop\r\nx-hop: 1\r\n\
         content-length: 2\r\n\r\nok",
    );
    let (_tree, _session, address) = in_front_of(&upstream, &[]);
    let answer =
        get(address, "/", &["connection: x-mine", "x-mine: 1", "te: trailers", "x-end: 1"]);
    for line in ["keep-alive", "x-hop"] {
        assert!(answer.header(line).is_none(), "{line} in {}", answer.head);
    }
    let asked = upstream.asked();
    assert!(
        asked.contains("x-end: 1") && !asked.contains("x-mine") && !asked.contains("te:"),
        "{asked}"
    );
}
