//! What the sink does itself is in no log.

use tracing_subscriber::layer::SubscriberExt;

use crate::logger::{LONG, builder, loki};
use crate::push::all;
use crate::server::Server;

#[test]
fn scenario_39_the_sinks_own_calls_are_not_logged() {
    let server = Server::accepting();
    let logger = builder().loki_only(loki(server.url())).build().unwrap();
    // For the whole process, and with it for the sink's thread; other tests have their own.
    let subscriber = tracing_subscriber::registry().with(logger.layer());
    tracing::subscriber::set_global_default(subscriber).unwrap();
    for _ in 0..3 {
        tracing::info!("the only ones");
        assert!(logger.flush(LONG).is_complete());
    }
    assert!(logger.shutdown(LONG).is_complete());
    let lines = all(&server);
    let own = lines.iter().filter(|line| line.json["message"] == "the only ones").count();
    let hyper = lines.iter().filter(|line| line.text.contains(r#""logger":"hyper"#)).count();
    assert_eq!((own, hyper), (3, 0));
}
