//! A Runtime API server as Lambda's: hands out invocations one after the other and records what the
//! function answers.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::sync::mpsc;

/// An invocation to hand out.
#[derive(Clone, Debug)]
pub(crate) struct Invocation {
    pub(crate) id: String,
    pub(crate) trace: Option<String>,
    pub(crate) deadline_ms: u64,
    pub(crate) payload: String,
}

/// What a function answered.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) id: String,
    pub(crate) is_error: bool,
    pub(crate) body: String,
    /// The function waits for this before it goes on.
    pub(crate) go_on: tokio::sync::oneshot::Sender<()>,
}

/// Serves until it is dropped.
pub(crate) struct RuntimeApi {
    pub(crate) address: SocketAddr,
    pub(crate) answers: mpsc::UnboundedReceiver<Answer>,
    task: tokio::task::JoinHandle<()>,
}

impl RuntimeApi {
    pub(crate) async fn start(invocations: Vec<Invocation>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (send, answers) = mpsc::unbounded_channel();
        let queue = Arc::new(Mutex::new(VecDeque::from(invocations)));
        let task = tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let (queue, send) = (Arc::clone(&queue), send.clone());
                let service =
                    service_fn(move |request| serve(request, Arc::clone(&queue), send.clone()));
                tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
            }
        });
        Self { address, answers, task }
    }
}

impl Drop for RuntimeApi {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(
    request: Request<Incoming>,
    queue: Arc<Mutex<VecDeque<Invocation>>>,
    answers: mpsc::UnboundedSender<Answer>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let path = request.uri().path().to_owned();
    let parts: Vec<_> = path.trim_start_matches('/').split('/').collect();
    match parts[..] {
        [_, "runtime", "invocation", "next"] => {
            let next = queue.lock().unwrap().pop_front();
            match next {
                Some(invocation) => Ok(next_response(&invocation)),
                // As Lambda does it: no answer until there is an invocation, which here never comes.
                None => std::future::pending().await,
            }
        }
        [_, "runtime", "invocation", id, kind @ ("response" | "error")] => {
            let body = request.into_body().collect().await.unwrap().to_bytes();
            let (go_on, may_go_on) = tokio::sync::oneshot::channel();
            let answer = Answer {
                id: id.to_owned(),
                is_error: kind == "error",
                body: String::from_utf8(body.to_vec()).unwrap(),
                go_on,
            };
            let _ = answers.send(answer);
            let _ = may_go_on.await;
            Ok(status(StatusCode::ACCEPTED))
        }
        _ => Ok(status(StatusCode::NOT_FOUND)),
    }
}

fn next_response(invocation: &Invocation) -> Response<Full<Bytes>> {
    let mut response = Response::builder()
        .header("lambda-runtime-aws-request-id", &invocation.id)
        .header("lambda-runtime-deadline-ms", invocation.deadline_ms)
        .header(
            "lambda-runtime-invoked-function-arn",
            "arn:aws:lambda:us-east-1:123456789012:function:orders",
        );
    if let Some(trace) = &invocation.trace {
        response = response.header("lambda-runtime-trace-id", trace);
    }
    response.body(Full::new(Bytes::from(invocation.payload.clone()))).unwrap()
}

fn status(status: StatusCode) -> Response<Full<Bytes>> {
    Response::builder().status(status).body(Full::default()).unwrap()
}
