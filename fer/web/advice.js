// Runs in the live page, beside the frame of streamlit-webrtc's component; `advice.py` draws it.

// To the component a connection is over as soon as it is "disconnected", which one
// lost packet may do; the browser mends that, or says "failed" in half a minute.
const bePatient = (view) => {
  const kind = view.RTCPeerConnection?.prototype;
  const usual = kind && Object.getOwnPropertyDescriptor(kind, "connectionState")?.get;
  if (!usual || "lost" in view) return;
  view.lost = null;
  Object.defineProperty(kind, "connectionState", { get() {
    const state = usual.call(this);
    if (state === "failed") view.lost = this;
    else if (view.lost !== this) view.lost = null;  // another has begun
    return state === "disconnected" ? "connecting" : state;
  } });
};

// The second click of two would press STOP, or START while it is still loading.
const takeOneClick = (page) => page.addEventListener("click", (event) => {
  if (event.detail > 1) event.stopPropagation();
}, true);

// Presses START for the visitor; the list of cameras, where it is open, hides it until "Done".
const press = (pages, label) => {
  const buttons = pages.flatMap((page) => [...page.querySelectorAll("button:enabled")]);
  const find = (text) => buttons.find((button) => button.textContent === text);
  const start = find(label);
  (start ?? find("Done"))?.click();
  return Boolean(start);
};

// Streamlit may lose the timer of a part that draws itself again and again.
const standsStill = (redraws) => {
  const pulse = document.querySelector("[data-pulse]")?.dataset.pulse;
  if (pulse !== beat.pulse || !redraws) beat = { pulse, seen: Date.now() };
  if (Date.now() - beat.seen < 10_000) return false;
  beat.seen = Date.now();
  return true;
};

let told = false, pressed = false, beat = {}, end = () => {};

export default function ({ parentElement, data, setStateValue, setTriggerValue }) {
  end();  // Streamlit calls this again for new data, and what it returned in the end only
  const advice = parentElement.querySelector("[role=alert]");
  pressed &&= Boolean(data.press);
  let watched, browser_ms;
  const watch = (video) => {
    [watched, browser_ms] = [video, undefined];
    const step = (now, { receiveTime, expectedDisplayTime }) => {
      if (video !== watched) return;
      const late_ms = expectedDisplayTime - receiveTime;
      if (late_ms >= 0) browser_ms = (browser_ms ?? late_ms) * 0.9 + late_ms * 0.1;
      video.requestVideoFrameCallback(step);
    };
    video?.requestVideoFrameCallback?.(step);
  };
  const tell = () => {
    const delay = document.querySelector("[data-server-ms]");
    if (!delay || delay.textContent || browser_ms === undefined) return;
    const tens = Math.round((Number(delay.dataset.serverMs) + browser_ms) / 10);
    delay.textContent = ` The picture is about ${10 * tens} ms late.`;
  };
  const look = () => {
    const pages = [...document.querySelectorAll("iframe[title^=streamlit_webrtc]")]
      .map((frame) => frame.contentDocument).filter((page) => page?.defaultView);
    const views = pages.map((page) => page.defaultView);
    views.forEach(bePatient);
    for (const page of pages.filter((page) => !page.met)) {
      page.met = true;
      takeOneClick(page);
    }
    if (data.press && !pressed) {
      pressed = press(pages, data.press);
      return;  // what went wrong before does not count any more
    }
    const lost = views.some((view) => view.lost);
    if (lost !== told) setStateValue("lost", told = lost);
    const error = pages
      .map((page) => page.querySelector("[role=alert]")?.textContent ?? "").join();
    const words = Object.keys(data.advice).find((some) => error.includes(some));
    const text = data.advice[words] ?? "";
    if (advice.textContent !== text) {
      advice.textContent = text;
      if (text) setTriggerValue("failed", text);
    }
    const video = pages.map((page) => page.querySelector("video")).find((one) => one);
    if (video !== watched) watch(video);
    tell();
    if (standsStill(data.redraws)) setTriggerValue("still", true);
  };
  const timer = setInterval(look, data.press ? 50 : 500);
  const observer = new MutationObserver(tell);  // the text is drawn anew with each reading
  observer.observe(document.body, { subtree: true, childList: true });
  return end = () => { clearInterval(timer); observer.disconnect(); watched = undefined; };
}
