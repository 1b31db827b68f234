/** A picture that is tried: what was said of it, and whether it has been added to the stream. */

const UNREADABLE = [413, 415, 422];

export class Subject {
  /** What the newest state said of it, or null; `before`: the probabilities of the time before. */
  prediction = null;
  before = null;
  failure = null;
  /** Its prediction as an event of the stream, once it was added. */
  recorded = null;

  /** `image` can be seen at `url`, if any. */
  constructor(stream, image, url) {
    Object.assign(this, { stream, image, url, name: image.name || "pasted picture" });
  }

  get truth() {
    return this.recorded?.truth ?? null;
  }

  /** Whether it has been answered, or not, and could be in the stream: all but what nobody can read. */
  get addable() {
    return this.prediction !== null || (this.failure !== null && !UNREADABLE.includes(this.failure.status));
  }

  /** Whether the gateway could not be asked. */
  get unasked() {
    return this.failure?.status === 0;
  }

  /** Asks without an event: nothing is recorded. */
  async ask(api) {
    try {
      const answer = await api.predict(this.stream, this.image);
      Object.assign(this, { before: this.prediction?.probabilities ?? null, prediction: answer, failure: null });
    } catch (problem) {
      Object.assign(this, { failure: problem });
    }
  }

  /** Added once, whoever asks: `adding(image)` resolves to the prediction. Raises Problem; then it may be tried again. */
  record(adding) {
    this.recording ??= adding(this.image).then(
      (prediction) => (this.recorded = { ...prediction }),
      (problem) => {
        this.recording = null;
        throw problem;
      },
    );
    return this.recording;
  }
}
