//! The two calls to the backend that need no SDK: is it ready, and start this function.
//!
//! One request a connection, over loopback; a whole SDK crate for Lambda would cost a minute of every
//! cold build for a single call.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::error::{Error, Result};

/// Far more than a loopback answer takes, so that a hanging backend is an error and not a hang.
const PATIENCE: Duration = Duration::from_secs(10);
/// Answers are a few hundred bytes; what is longer is not from the backend.
const LARGEST_ANSWER: u64 = 1024 * 1024;

/// Where the backend listens.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Gateway {
    pub(crate) port: u16,
}

impl Gateway {
    pub(crate) fn url(self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Whether the backend says that it is ready.
    pub(crate) async fn is_ready(self) -> bool {
        matches!(self.request("GET", "/_ministack/ready", &[], b"").await, Ok((200, _)))
    }

    /// Starts `function` with `event` as an asynchronous invocation: with retries, and the dead-letter
    /// queue after the last.
    pub(crate) async fn invoke_asynchronously(self, function: &str, event: &[u8]) -> Result<()> {
        let path = format!("/2015-03-31/functions/{function}/invocations");
        let headers = [("X-Amz-Invocation-Type", "Event"), ("Content-Type", "application/json")];
        match self.request("POST", &path, &headers, event).await {
            Ok((202, _)) => Ok(()),
            Ok((status, body)) => Err(Error::backend(format!(
                "invoking {function} was answered with {status}: {}",
                String::from_utf8_lossy(&body)
            ))),
            Err(error) => Err(Error::service(format!("invoke {function}"), error)),
        }
    }

    async fn request(
        self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> std::io::Result<(u16, Vec<u8>)> {
        let exchange = async {
            let mut stream = TcpStream::connect(("127.0.0.1", self.port)).await?;
            let mut request = format!(
                "{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{}\r\nConnection: close\r\nContent-Length: {}\r\n",
                self.port,
                body.len()
            );
            for (name, value) in headers {
                request.push_str(&format!("{name}: {value}\r\n"));
            }
            request.push_str("\r\n");
            stream.write_all(request.as_bytes()).await?;
            stream.write_all(body).await?;
            let mut answer = Vec::new();
            stream.take(LARGEST_ANSWER).read_to_end(&mut answer).await?;
            Ok::<_, std::io::Error>(answer)
        };
        let answer = timeout(PATIENCE, exchange).await??;
        split_answer(&answer).ok_or_else(|| {
            std::io::Error::new(std::io::ErrorKind::InvalidData, "not an HTTP answer")
        })
    }
}

/// The status and what follows the head. A chunked body is left as it came: it is only ever shown.
fn split_answer(answer: &[u8]) -> Option<(u16, Vec<u8>)> {
    let head_end = answer.windows(4).position(|window| window == b"\r\n\r\n")?;
    let head = std::str::from_utf8(answer.get(..head_end)?).ok()?;
    let mut words = head.lines().next()?.split(' ');
    if !words.next()?.starts_with("HTTP/1.") {
        return None;
    }
    let status = words.next()?.parse().ok()?;
    Some((status, answer.get(head_end + 4..)?.to_vec()))
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::{Gateway, split_answer};

    #[test]
    fn an_answer_is_split_at_the_empty_line() {
        let check = |answer: &str, expected: Option<(u16, &str)>| {
            let expected = expected.map(|(status, body)| (status, body.as_bytes().to_vec()));
            assert_eq!(split_answer(answer.as_bytes()), expected, "{answer:?}");
        };
        check("HTTP/1.1 202 \r\ncontent-length: 0\r\n\r\n", Some((202, "")));
        check("HTTP/1.1 404 Not Found\r\n\r\n{\"a\":1}", Some((404, "{\"a\":1}")));
        check("HTTP/1.1 twenty\r\n\r\n", None);
        check("SSH-2.0-OpenSSH\r\n\r\n", None);
        check("HTTP/1.1 200 OK\r\n", None);
        check("", None);
    }

    #[tokio::test]
    async fn an_invocation_is_asynchronous_and_its_refusal_is_an_error() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let server = tokio::spawn(async move {
            let mut requests = Vec::new();
            for answer in ["HTTP/1.1 202 Accepted\r\n\r\n", "HTTP/1.1 404 Not Found\r\n\r\nno such"]
            {
                let (mut stream, _) = listener.accept().await.unwrap();
                let mut request = vec![0; 4096];
                let mut length = 0;
                while !request[..length].ends_with(b"{}") {
                    length += stream.read(&mut request[length..]).await.unwrap();
                }
                requests.push(String::from_utf8(request[..length].to_vec()).unwrap());
                stream.write_all(answer.as_bytes()).await.unwrap();
            }
            requests
        });
        let gateway = Gateway { port };
        gateway.invoke_asynchronously("f", b"{}").await.unwrap();
        let error = gateway.invoke_asynchronously("f", b"{}").await.unwrap_err();
        assert!(error.to_string().contains("404: no such"), "{error}");
        let requests = server.await.unwrap();
        assert!(requests[0].starts_with("POST /2015-03-31/functions/f/invocations HTTP/1.1\r\n"));
        assert!(requests[0].contains("\r\nX-Amz-Invocation-Type: Event\r\n"));
    }

    #[tokio::test]
    async fn nobody_listening_is_not_ready() {
        let free = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
        assert!(!Gateway { port: free }.is_ready().await);
    }
}
