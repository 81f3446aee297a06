//! `watch URL USER PASSWORD tcp|udp PICTURES`: ends with 0 when so many pictures have come.

use futures_util::StreamExt;
use retina::client::{
    Credentials, PlayOptions, Session, SessionOptions, SetupOptions, TcpTransportOptions,
    Transport, UdpTransportOptions,
};
use retina::codec::CodecItem;

type Failure = Box<dyn std::error::Error>;

async fn watch(words: &[String]) -> Result<usize, Failure> {
    let [url, user, password, transport, wanted] = words else { return Err("five words".into()) };
    let credentials = Credentials { username: user.clone(), password: password.clone() };
    let options = SessionOptions::default().creds(Some(credentials));
    let mut session = Session::describe(url::Url::parse(url)?, options).await?;
    let transport = match transport.as_str() {
        "tcp" => Transport::Tcp(TcpTransportOptions::default()),
        _ => Transport::Udp(UdpTransportOptions::default()),
    };
    session.setup(0, SetupOptions::default().transport(transport)).await?;
    let mut playing = session.play(PlayOptions::default()).await?.demuxed()?;
    let wanted: usize = wanted.parse()?;
    let mut pictures = 0;
    while pictures < wanted {
        match playing.next().await.ok_or("the stream ended")?? {
            CodecItem::VideoFrame(frame) => {
                if pictures == 0 && !frame.is_random_access_point() {
                    return Err("it does not begin with a key frame".into());
                }
                if frame.loss() > 0 {
                    return Err(format!("{} packets are lost", frame.loss()).into());
                }
                pictures += 1;
            }
            _ => {}
        }
    }
    Ok(pictures)
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Failure> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let deadline = std::time::Duration::from_secs(30);
    println!("{} pictures", tokio::time::timeout(deadline, watch(&words)).await??);
    Ok(())
}
