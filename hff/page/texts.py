"""Every word a person reads on the page, in one place."""

from __future__ import annotations

TITLE = "What the model sees, hears and reads"
SUBTITLE = "Emotion from voice, words and face, and how much each one counts"
TAB_CLIP, TAB_MODEL = "Clip", "Model"
THEME_BUTTON = "Light / dark"

# Inputs
EXAMPLES_TITLE = "Try an example"
TAB_VIDEO, TAB_AUDIO, TAB_IMAGE = "Video", "Sound", "Picture"
VIDEO_LABEL, AUDIO_LABEL, IMAGE_LABEL = "Video clip", "Sound", "Picture of a face"
TEXT_LABEL = "Words"
TEXT_HINT = "Type what is said. Left empty, the words are recognised from the sound."
TRANSCRIBE = "Also recognise the words"
ANALYSE, CLEAR = "Analyse", "Clear"
PRIVACY = "Everything stays on this computer and is deleted when you close the page."

EMPTY_TITLE = "Give the model something to read"
EMPTY_STEPS = (
    "Upload or record a clip, a sound or a picture, or type a sentence. Any mix works.",
    "Press Analyse.",
    "See the emotion, and how much the model trusted voice, words and face.",
)

MODALITY_NAMES = {"speech": "Voice", "text": "Words", "vision": "Face"}
ABSENT_REASON = {
    "speech": "No voice was heard, so it has no weight at all.",
    "text": "There were no words, so they have no weight at all.",
    "vision": "No face was seen, so it has no weight at all.",
}
ABSENT = "absent"

INPUT_NAMES = {"video": "video", "audio": "sound", "image": "picture", "text": "typed words"}
NOTHING_GIVEN = "Nothing chosen yet."
WILL_READ = "Will read: {parts}."
AUDIO_REPLACES = " The sound replaces the video's own."
IMAGE_UNUSED = " The picture is left out while there is a video."

# Report: the headline
HEADLINE = "The model reads"
SURENESS = (
    (0.8, "quite sure"),
    (0.6, "fairly sure"),
    (0.4, "unsure"),
    (0.0, "close to guessing"),
)  # from this probability on
UNCERTAINTY = "The model is {sureness}: {emotion} {percent}, give or take {spread}, then {second} at {second_percent}."
CAUTION = "A guess about how it sounds, reads and looks, not a fact about the person."
BARS_TITLE = "All seven probabilities"
DRAWS_MEANS = "random draws from the model's own uncertainty"
BARS_NOTE_PLAIN = f"The thin line on each bar is the spread over {DRAWS_MEANS}."

# Report: the gauges
GAUGES_TITLE = "How much each one counts"
ALPHA_LABEL = "weight α"
# The same words for the same things in every view; the glossary has them all.
ALPHA_MEANS, SHARES = "each one's share of the decision", "the shares add up to 1"
VARIANCE_MEANS = "how unsure the model is of it"
ALEATORIC_MEANS, EPISTEMIC_MEANS = "noise in the signal", "the model's own lack of knowledge"
GAUGES_NOTE = (
    f"α is {ALPHA_MEANS}; {SHARES}. σ² is {VARIANCE_MEANS}: "
    f"the solid part is {ALEATORIC_MEANS} (aleatoric), the striped part {EPISTEMIC_MEANS} (epistemic)."
)
VARIANCE_LABEL = "σ² {total}"
VARIANCE_PARTS = "{aleatoric} signal + {epistemic} model"
ONE_STEP = "There is a single moment here, so weights do not change over time."

# Report: sections
SECTION_TIME, SECTION_ATTENTION = "Over time", "Attention"
SECTION_ALONE, SECTION_WORDS, SECTION_KEEP = "Each one alone", "Words", "Keep it"

TIMELINE_ROWS = {
    "faces": "Face",
    "words": "Words",
    "mel": "Voice\nfrequency (kHz)",
    "alpha": "Weight α\n(share)",
    "variance": "Uncertainty σ²\n(no unit)",
    "beta": "Moment's\nweight β",
    "emotion": "Emotion, if the clip ended here",
}
TIME_AXIS = "Time in the clip (s)"
PROBABILITY_AXIS = "Probability"
NO_FACE, NO_WORDS, NO_SOUND = "no face was seen", "no words", "no sound"
TIMELINE_LABEL = "Face, words, voice, weights, uncertainty and emotion of the clip on one time axis"
BETA_MEANS = "which moments the final answer rests on"
TIMELINE_NOTE = (
    "Read it downwards: when the face, the words or the voice get worse, their σ² goes up and their share α goes down; "
    f"β shows {BETA_MEANS}. Hatched means absent."
)

ATTENTION_LABEL = "Attention of {what}: from each moment of the clip to every modality and moment"
ATTENTION_QUERY, ATTENTION_KEY = "Moment asking (s)", "Moment looked at (s)"
ATTENTION_SHARE = "Share of attention"
ATTENTION_NOTE = (
    "Each row is one moment asking “where should I look?”; bright spots are the moments of voice, words and face it "
    "looks at. The percentages say how much goes to each kind."
)
ATTENTION_GRID_NOTE = "Every head of every layer in small: rows are layers, columns heads, axes as in the large map."
ATTENTION_NONE = "This model was built without attention, so there is no map to show."
ATTENTION_PART = "The clip is long: the map shows the minute the answer rests on most."
KIND_NAMES = {"fused": "All three, fused", **MODALITY_NAMES}
LAYER, HEAD = "Layer", "Head"
ALL_LAYERS, ALL_HEADS, EVERY_HEAD = "All, averaged", "All, averaged", "Every head, side by side"
WHAT_LAYER, WHAT_HEAD = "layer {layer}", "head {head}"
WHAT_ALL_LAYERS, WHAT_ALL_HEADS = "all layers averaged", "all heads averaged"

ALONE_TITLE = "If the model had only one of them"
ALONE_NOTE = "Each box shows what the model would answer with that one alone; where they disagree, α decides."
ALONE_ABSENT = "absent from this clip"
SHAPLEY_TITLE = "Weight beside effect"
SHAPLEY_MEANS = "how much each one moved the answer"
SHAPLEY_NOTE = (
    f"α says how much the model listened to each one; the Shapley value says {SHAPLEY_MEANS} towards "
    "“{emotion}”, in points of probability above a blind guess. They differ when a well-heard signal has little to say."
)
SHAPLEY_COLUMNS = ("Modality", "Weight α", "Shapley value")
SHAPLEY_SUM = "Together: {guess} for a blind guess {total} = {percent} for {emotion}."
SUBSETS_TITLE = "Every mix of them"
SUBSETS_NOTE = "The answer to each combination; these are what the Shapley values are computed from."
SUBSETS_COLUMNS = ("With", "Answer", "Probability")

TRANSCRIPT_LABEL = "Words the model read (edit them)"
TRANSCRIPT_NOTE = {
    "recognised": "Recognised from the sound. Correct a mistake, or try other words, and run the same clip again.",
    "typed": "As typed. Change them and run the same clip again.",
    None: "No words so far. Type some and run the same clip again.",
}
RERUN = "Re-run with this text"

KEEP_NOTE = "Files are made on this computer; the web page needs no network and prints well."
DOWNLOADS = {
    "json": "JSON, every figure",
    "csv": "CSV, one line per moment",
    "png": "PNG, the figures",
    "html": "Web page, the whole report",
}

# Messages
WARNINGS_TITLE = "Please note"
ERROR_TITLE = "That did not work"
NOTHING_TO_READ = "There is nothing to analyse yet. Upload or record a clip, a sound or a picture, or type a sentence."
FILE_GONE = (
    "The file is no longer here: uploads are deleted when the page loses its connection. "
    "Please upload or record it again."
)
RESULT_GONE = "This reading is no longer kept. Press Analyse to read the clip again."
FILE_NOT_KEPT = "The file could not be written: the disk of the computer that runs the page is full."
VISIT_ENDED = "The page was closed, so nothing more is made for it."
NOT_A_FILE = "The {what} was not understood: it has to be an uploaded file."
UNEXPECTED = (
    "Something inside the program went wrong ({kind}). Nothing you did; the program's window has the details, "
    "and other inputs still work."
)
STARTING = "Loading the model"
FINISHED = "Drawing the report"

# Report file
REPORT_TITLE = "Emotion reading"
REPORT_MADE = "Made by the HFF emotion demo on {date}, from {file}, {seconds} long."
REPORT_TYPED = "typed words"
FOOTER = "Emotion as acted and labelled in public data, not what anybody feels. Not for decisions about people."

# Examples: title, and what it is and where it comes from
EXAMPLE_SENTENCE = "I was so scared that somebody had followed me home."
EXAMPLE_SAD_SENTENCE = "I miss my grandmother every single day."
EXAMPLES = {
    "clip": ("Clip", "A portrait that moves, and a synthetic voice: NASA, public domain; espeak-ng."),
    "covered": ("Camera covered", "The picture goes black half way; watch α leave the face: NASA, espeak-ng."),
    "silent": ("No sound", "The same portrait without a sound track: NASA, public domain."),
    "voice": ("Voice", "A synthetic voice and nothing to see: espeak-ng."),
    "sarcasm": ("Sarcasm", "Happy words in a tired synthetic voice: espeak-ng."),
    "portrait": ("Portrait", "Astronaut Eileen Collins: NASA, public domain."),
    "sentence": ("Sentence", "One typed sentence, no voice and no face."),
    "mixed": ("Sad words, glad face", "The NASA portrait with a sad sentence: which one wins?"),
}

# Model view
HOW_BUILT = "How it is built"
HOW_BUILT_NOTE = (
    "Read it from left to right: three encoders, three levels of fusion, one answer. The numbers in brackets are the "
    "equations of the paper (Xie, Zhou and Zhu, Multimodal Emotion Recognition Based on Hierarchical Feature "
    "Fusion, 2025)."
)
ARCHITECTURE_LABEL = "The model's parts, from voice, words and face to the emotion"
TOKENS = "tokens of every modality and moment"
LEVELS = (  # name, where it begins and how wide it is in the drawing
    ("Encoders", 20, 190),
    ("Level 1: align and weigh", 262, 360),
    ("Level 2: interact", 674, 176),
    ("Level 3: time", 902, 130),
    ("Answer", 1072, 98),
)
BLOCKS = {  # title, equations, a sentence
    "speech": (
        "Voice: MFCC, CNN",
        "(1)–(8)",
        "hears how it is said: a spectrogram on the mel scale, then a small network.",
    ),
    "text": ("Words: BERT", "(9)–(12)", "reads what is said: the sentence's own token and the mean of all words."),
    "vision": (
        "Face: ResNet-18",
        "(13)–(15)",
        "looks at the aligned face in each frame and averages a moment's frames.",
    ),
    "align": ("Alignment", "(16)", "brings the three into one common space, so that they can be added and compared."),
    "weights": ("Dynamic\nweights α", "(17), (18)", "decides at every moment how much each modality counts."),
    "uncertainty": (
        "Bayesian\nuncertainty σ²",
        "(19), (20)",
        "says how unsure each modality is, and takes weight away from the unsure ones.",
    ),
    "attention": (
        "Cross-modal\nattention",
        "(21)–(23)",
        "lets every moment look at voice, words and face at every other moment.",
    ),
    "time": ("GRU and\nattention β", "(24)–(28)", "follows the clip and picks the moments that matter."),
    "classifier": ("Classifier", "(29)–(31)", "turns the summary into one probability for each emotion."),
}
MEASURED = "How good it is"
MEASURED_NOTE = "Measured on people and clips kept out of the training; each table names the command that prints it."
MEASURED_BY = "Made by: {command}"
NO_METRICS = "No measurements lie beside these weights. `python -m train evaluate` makes them."
CONFUSION_TITLE = "Confusion matrix"
CONFUSION_NOTE = (
    "Each row is one true emotion; a bright diagonal means it is recognised, bright spots beside it are mix-ups."
)
CONFUSION_SAID, CONFUSION_WAS, CONFUSION_SHARE = "The model says", "It was", "Share of the row"
RELIABILITY_TITLE = "Reliability diagram"
RELIABILITY_NOTE = (
    "On the dashed line the model is right exactly as often as it says; below it, it is too sure of itself."
)
RELIABILITY_ECE = "The mean distance from the line (expected calibration error) is {ece}."
RELIABILITY_PERFECT = "dashed: as sure as right"
RELIABILITY_SAYS, RELIABILITY_IS = "How sure the model says it is (probability)", "How often it is right (share)"
DATA = "What it was trained on"
DATA_NOTE = (
    "No open collection holds face, voice and words of one person for seven emotions at scale, so clips for fusion are "
    "put together from parts of the same emotion by different people. The terms are as the authors publish them."
)
DATA_COLUMNS = ("Collection", "What it is", "Terms")
CORPORA = (
    ("RAVDESS", "acted English speech, and clips of face and voice", "CC BY-NC-SA 4.0: not for commercial use"),
    ("EmoDB", "acted German speech", "free (TU Berlin)"),
    ("FER2013 with FER+ labels", "small grey pictures of faces from the web", "DbCL 1.0, research use; labels MIT"),
    ("GoEmotions", "comments from Reddit", "CC BY 4.0"),
    ("MELD, EmoryNLP", "dialogue of a television series", "GPL-3.0; Apache-2.0"),
    ("DailyDialog", "written everyday dialogues", "CC BY-NC-SA 4.0: not for commercial use"),
    ("ISEAR", "people's reports of what they felt when", "CC BY-NC-SA 3.0: not for commercial use"),
    ("dair-ai emotion", "tweets", "educational and research use"),
)
LIMITS = "Limits and fair use"
LIMIT_LINES = (
    "The labels are acted or given by onlookers: the model names an expression, it does not know what a person feels.",
    "Not for decisions about people: not for hiring, school marks, policing, health or advertising.",
    "The collections are mostly English, Western and young; expect worse answers for other people and accents.",
    "Words are recognised in English only.",
    "Some of the training data is for non-commercial use only, and so are the weights trained on it.",
    "Film or record others only with their consent. Nothing leaves this computer, and nothing is kept after the visit.",
)

# Weighting lab
TAB_LAB = "Weighting lab"
LAB_SOURCE = "Take apart"
LAB_YOURS = "Your clip or live snapshot"
LAB_EXAMPLE = "Example: {title}"
LAB_TAB_DAMAGE = "Break it"
LAB_KIND = "{modality}: kind of damage"
LAB_SEVERITY = "How much"
LAB_SEVERITY_NAME = "{modality}: how much"
LAB_MUTE = {"speech": "Mute", "text": "Take away", "vision": "Cover lens"}
LAB_TYPED = "Other words"
LAB_TYPED_HINT = "Type what should be said instead."
LAB_RESET = "All as it was"
LAB_BY_HAND = "Set α by hand"
LAB_BY_HAND_NOTE = "They always add up to 1; what is absent stays at 0."
LAB_ALPHA = "{modality}: weight α"
LAB_OWN_ALPHA = "The model's own: {weights}."
LAB_PARTS = "Parts at work"
LAB_PART_NAMES = {
    "attention": "Cross-modal attention (21)–(23)",
    "dynamic_weighting": "Dynamic weights (17)–(19)",
    "temporal": "Time: GRU and β (24)–(28)",
    "alignment": "Alignment (16)",
}
LAB_PARTS_NOTE = (
    "Honest note: these weights were trained with {trained}. A part switched off shows what this model loses, "
    "not what one trained without it would do."
)
LAB_TRAINED_ALL = "all four parts"
LAB_TRAINED_SOME = "{parts} only"
LAB_SAMPLES = "Samples (20)"
LAB_SEED = "Draw no."
LAB_DAMAGE_NAMES = {
    "white noise": "hiss (white noise)",
    "pink noise": "rumble (pink noise)",
    "babble": "a room full of talk",
    "clipping": "overdriven microphone",
    "muffle": "mumbled, muffled",
    "reverberation": "echoing hall",
    "traffic": "traffic",
    "music": "radio music",
    "packet loss": "bad line, gaps",
    "switched off": "microphone goes off",
    "dropped words": "words dropped",
    "masked words": "words bleeped out",
    "misspelt words": "words misspelt",
    "swapped words": "words swapped",
    "lost letters": "letters lost",
    "foreign words": "made-up language",
    "blur": "out of focus",
    "dark": "lights off",
    "cover": "hand before the face",
    "low resolution": "few pixels",
    "sensor noise": "grainy",
    "motion blur": "shaken",
    "overexposure": "dazzled",
    "lattice": "behind a fence",
    "freeze": "picture frozen",
}
LAB_NEW_TO_IT = "{name} *"
LAB_NEW_NOTE = "* The model never met this damage while it was trained."
LAB_BEFORE, LAB_AFTER = "Before", "After"
LAB_SAME = "Nothing has changed yet. Move a slider."
LAB_COLUMNS = {
    "alone": ("alone it says", ""),
    "variance": ("σ²", "how unsure"),
    "precision": ("w", "1 / (σ² + ε)"),
    "alpha0": ("α₀", "first weight"),
    "alpha": ("α", "∝ α₀ · w"),
    "shapley": ("effect", "Shapley"),
}
LAB_TABLE = "From uncertainty to weight, before and after"
LAB_EMPTY = "Choose a lesson, or break something."
LAB_NO_CLIP = (
    "There is no clip of yours yet. Analyse one in the Clip view, send a snapshot from the Live view, "
    "or choose an example."
)
LAB_UNKNOWN_SOURCE = "There is no example called {source!r}; there are {names}."
LAB_HEAR, LAB_READ, LAB_SEE = "Hear it", "Read it", "See it"
LAB_PLAYER = "The voice as the model hears it now"
LAB_MEL = "Spectrogram of the voice as the model hears it now: time to the right, high tones at the top"
LAB_FACES = "The face as the model sees it now, from the beginning to the end of the clip"
# One sentence about what changed
LAB_SENTENCE_WEIGHT = "α of the {modality} {verb} from {before} to {after}"
LAB_SENTENCE_ABSENT = "The {modality} is gone, so its α falls from {before} to exactly 0"
LAB_SENTENCE_BACK = "The {modality} is there again, and its α rises from 0 to {after}"
LAB_SENTENCE_NO_WEIGHT = "The weights hardly move"
LAB_SENTENCE_VARIANCE = " because its σ² {verb} from {before} to {after}"
LAB_SENTENCE_SAME = "; the answer stays {emotion} ({before} → {after})."
LAB_SENTENCE_OTHER = "; the answer changes from {old} ({before}) to {new} ({after})."
LAB_ROSE, LAB_FELL = "rises", "falls"

# Weighting lab: lessons
LAB_TAB_LESSONS, LAB_TAB_SHARE, LAB_TAB_MODEL = "Lessons", "Share", "Model"
LAB_TAB_COMPARE, LAB_TAB_SWEEP = "Before and after", "Sweep"
LESSON_CHOOSE = "Choose a lesson: it sets everything up and asks you for a guess first."
LESSON_GUESS = "Your guess"
LESSON_SHOW = "Show what happens"
LESSON_WAITING = "Guess first!"
LESSON_RIGHT = "Right: {choice}."
LESSON_WRONG = "The model did something else: {choice}."
LESSON_NONE_TRUE = "None of these came true this time."
LESSON_SURPRISE = "It came out otherwise than this lesson expects. Find out why!"
LESSON_WATCH, LESSON_WHY, LESSON_THEN = "Watch:", "Why:", "Now try:"
LESSON_EQUATION = "equation {number}"

# Weighting lab: sweep
SWEEP_WHICH = "Make one worse, step by step"
SWEEP_START, SWEEP_STOP, SWEEP_DATA = "Start", "Stop", "CSV"
SWEEP_ALPHA, SWEEP_VARIANCE, SWEEP_PROBABILITY = "Weight α", "Uncertainty σ²", "Probability"
SWEEP_AXIS = "Damage to the {modality} (severity)"
SWEEP_LABEL = "Weights, uncertainties and probabilities while the {modality} gets worse"
SWEEP_WAITING = "Press Start and watch the curves grow. The kind of damage is the one under “Break it”."
SWEEP_SENTENCE = "Up to {severity} damage, α of the {modality} goes from {before} to {after}"
SWEEP_SAME = "; the answer stays {emotion}."
SWEEP_TURN = "; at {severity} the answer turns from {old} to {new}."
SWEEP_NOTHING = "With this modality alone there is nothing left to read at any severity. Give another one back."

# Weighting lab: sharing
SHARE_LINK = "Link to this set-up"
SHARE_LINK_NOTE = "It holds the example, the typed words and the settings, no recording."
SHARE_NO_LINK = "A recording of your own stays on this computer, so there is no link to it. Keep the file instead."
SHARE_SAVE, SHARE_OPEN = "Keep as a file", "Open a file"
SHARE_FILE_NOTE = "Opens the same set-up on another computer."
SHARE_WORKSHEET = "Worksheet to print"
SHARE_WORKSHEET_NOTE = "Students fill in what comes after; the last page has the answers."
SHARE_NO_STATE = "This is no lab file. Take one that was kept with “Keep as a file”."

# Worksheet
WORKSHEET_TITLE = "In the weighting lab"
WORKSHEET_SUBTITLE = "How a model weighs voice, words and face"
WORKSHEET_NAME, WORKSHEET_DATE = "Name:", "Date:"
WORKSHEET_SETUP, WORKSHEET_BEFORE, WORKSHEET_GUESS = "What is set up", "Before", "Your guess"
WORKSHEET_AFTER, WORKSHEET_QUESTIONS, WORKSHEET_ANSWERS = "After: fill in", "Questions", "Answers"
WORKSHEET_ANSWER = "The model says:"
WORKSHEET_YOURS = "A recording of your own."
WORKSHEET_EXAMPLE = "The example “{title}”."
WORKSHEET_TYPED = "The words are typed: “{text}”"
WORKSHEET_MUTED = "{modality}: taken away."
WORKSHEET_DAMAGE = "{modality}: {kind}, severity {severity}."
WORKSHEET_ALPHA = "The weights α are set by hand: {weights}."
WORKSHEET_WITHOUT = "Switched off: {parts}."
WORKSHEET_SAMPLES = "Monte Carlo samples: {samples}."
WORKSHEET_GUESS_NOTE = "Which weight will change most, and in which direction? Will the answer change?"
WORKSHEET_TRUE = "What came true:"
WORKSHEET_QUESTION_CHAIN = (
    "Check one row with a calculator: is w about 1 / (σ² + 0.01)? (Means over the clip differ a little.)"
)
WORKSHEET_QUESTION_DAMAGE = "What happened to σ² and to α of the {modality}? Explain with w = 1 / (σ² + ε)."
WORKSHEET_QUESTION_MUTED = "What weight does something get that is not there? Who gets its share?"
WORKSHEET_QUESTION_HAND = "How do your weights differ from the model's own? What does the answer owe to them?"
WORKSHEET_QUESTION_WITHOUT = (
    "Which figures changed without this part, and which did not? Where in the model does it stand?"
)
WORKSHEET_QUESTION_SHAPLEY = "Whose effect (Shapley value) differs most from its weight α? What may be the reason?"

# Live view
TAB_LIVE = "Live"
LIVE_START, LIVE_STOP, LIVE_SEND = "Start camera and microphone", "Stop", "Send the last seconds to the lab"
LIVE_NATIVE_START = "Start this computer's camera and microphone"
LIVE_VIDEO_LABEL = "Picture from the camera"
LIVE_VIDEO_HINT = "The picture appears here, with the face that the model follows."
LIVE_WORDS_TITLE = "Words"
LIVE_WORDS_HINT = "What is said appears here (English)."
LIVE_TYPE_LABEL = "Type words instead"
LIVE_TYPE_HINT = "Typed words replace what is heard"
LIVE_TIMELINE_ALPHA = "Weight α"
LIVE_TIMELINE_VARIANCE = "Uncertainty σ²"
LIVE_ATTENTION = "Where it looks, last 8 seconds"
LIVE_ATTENTION_LABEL = "Attention over the window: rows are fused, voice, words and face, columns moments"
LIVE_KINDS = {"fused": "Fused", **MODALITY_NAMES}
LIVE_AXIS_PAST, LIVE_AXIS_NOW = "−{seconds} s", "now"
LIVE_NOTHING = "Nobody yet"
LIVE_NOTE = f"α is {ALPHA_MEANS}, σ² {VARIANCE_MEANS}. Cover the camera or stop talking, and watch α move."
LIVE_CAUTION = "An expression as acted in public data, not what anybody feels. Nothing is recorded."
LIVE_FULL = "All {count} places are taken by others who watch live. Please try again in a little while."
LIVE_GONE = "The connection was idle for too long. Starting again."
LIVE_NOTHING_TO_SEND = "There is nothing to send yet. Start the camera or the microphone first."
LIVE_SENT = "Sent {seconds} to the lab."
# What the page's script says; the names are its own and the engine's notes
LIVE_SAYS = {
    "idle": "Nothing is recorded until you press Start. Everything stays on this computer.",
    "asking": "The browser asks whether the page may use camera and microphone. Please allow it.",
    "loading": "Getting ready. The first time takes a few seconds.",
    "running": "Reading what comes in.",
    "stopped": "Stopped. Nothing was kept.",
    "denied": "The browser did not allow the {what}. Allow it beside the address, then press Stop and Start.",
    "missing": "There is no {what} to be found. Plug one in; it is used as soon as it is there.",
    "busy": "The {what} is used by another program. Close that one; it is tried again.",
    "lost": "The {what} was lost. It is tried again until it is back.",
    "insecure": "Browsers give camera and microphone only to this computer itself or over https (--ssl-certfile).",
    "offline": "The program does not answer. It is tried again.",
    "no_camera": "No picture comes in: the face has no weight.",
    "dark": "It is dark: no face to be seen, so the face has no weight.",
    "no_face": "No face in the picture, so the face has no weight.",
    "no_microphone": "No sound comes in: the voice has no weight.",
    "silent": "Silence: the voice has no weight.",
    "no_voice": "Nobody speaks, so the voice has no weight.",
    "camera": "camera",
    "microphone": "microphone",
    "both": "camera and microphone",
    "figures": "{updates} updates a second · shown {age} s after it happened{effort}",
    "effort": " · this machine is busy, so less is computed (level {level} of 4)",
    "sure": "{percent}, give or take {spread}",
    "box": "face {age} s ago",
    "absent": "absent",
}

# Glossary: a word, the paper's equations for it, and what it means in one sentence
GLOSSARY_TITLE = "Words used here"
GLOSSARY_NOTE = "“Each one” is the voice, the words or the face. The numbers in brackets are the paper's equations."
GLOSSARY = {
    "α, weight": ("(17)–(19)", f"α is {ALPHA_MEANS}: {SHARES}, and what is absent has exactly 0."),
    "α₀, first weight": ("(17)", "α₀ is the share that each one would have if the model were equally sure of all."),
    "w, precision": (
        "(19)",
        "w = 1 / (σ² + ε) is large where the model is sure, and α is α₀ · w scaled to a sum of 1.",
    ),
    "σ², uncertainty": ("(19), (20)", f"σ² of each one is {VARIANCE_MEANS}: 0 is right and sure, 0.86+ a guess."),
    "aleatoric": ("(19)", f"The aleatoric part of σ² is {ALEATORIC_MEANS}: hiss, blur, darkness, missing words."),
    "epistemic": ("(20)", f"The epistemic part of σ² is {EPISTEMIC_MEANS}, which more training could lessen."),
    "attention": (
        "(21)–(23)",
        "Attention is how each moment divides its look among voice, words and face; little goes where α is small.",
    ),
    "β_t, moment's weight": ("(28)", f"β shows {BETA_MEANS}: each moment t has a β_t, and all of them add up to 1."),
    "entropy": (
        "",
        "Entropy is how evenly the probabilities are spread: 0 is one emotion for certain, 1 a blind guess.",
    ),
    "Shapley value": ("", f"The Shapley value is {SHAPLEY_MEANS}, as a mean over all orders of adding them."),
    "Monte Carlo draws": (
        "(20)",
        f"Monte Carlo draws are {DRAWS_MEANS}; how far their answers lie apart is the spread.",
    ),
    "calibration, ECE": (
        "",
        "A calibrated model is right as often as it says; the expected calibration error is how far the two lie apart.",
    ),
}

# Sending to the page: why something is not taken
UPLOAD_TOO_LARGE = "The file is larger than {limit}, which is the most that this page takes. Use a shorter clip."
UPLOAD_VISITOR_FULL = (
    "From your address {limit} are here already, and that is the most. Close pages that you no longer need, or wait."
)
UPLOAD_SERVER_FULL = "All visitors together have {limit} here, and that is the most. Try again in a few minutes."
UPLOAD_NO_ROOM = (
    "The disk of the computer that runs the page is too full for this file; nothing of it was kept. "
    "Use a shorter clip, or free some space there."
)
UPLOAD_MANY = "Too many files are being sent at once ({count} now). Try again in a minute."
UPLOAD_PARTS = "More than {count} files came at once; send them one after the other."
UPLOAD_NO_FILE = "This address takes files only, in a form field called files."
UPLOAD_BROKEN = "What was sent is no upload that can be read, or it was damaged on the way. Send the file again."
UPLOAD_SLOW = "The file came too slowly, or stopped coming; nothing of it was kept. Send it again."
UPLOAD_FAILED = "The file could not be kept. Send it again; the program's window has the reason."
UPLOAD_CLOSED = "The page is being stopped and takes no more files."
BODY_NO_FILE = "Files are taken at /gradio_api/upload only."
BODY_TOO_LARGE = "The message is larger than {limit}, which is the most that this page takes besides files."
