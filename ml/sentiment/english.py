"""English, with the words that salespeople use of those whom they talk to."""

from ml.sentiment.language import Language, weights, words

ENGLISH = Language(
    name="english",
    weights=weights(
        {
            3: "love thrilled delighted fantastic excellent outstanding amazing awesome perfect brilliant enthusiastic superb",
            2: "great happy excited exciting glad impressed impressive keen eager convinced pleased wonderful favorite favourite "
            "committed confident success successful best signed win won recommend champion satisfied appreciate grateful thankful "
            "thanks valuable approve promising enthusiasm excite delight impress",
            1: "good nice like interested interest interesting helpful useful positive agree agreed ready open friendly "
            "budget yes welcome better benefit fast easy smooth clear comfortable fit fits works progress support trust "
            "improve improvement enjoy want wants warm likely available urgent momentum hope well accept confirm "
            "fair reliable reasonable responsive qualified relevant thank help solve solved resolve resolved",
            -1: "slow late delay postpone pause wait unsure hesitant hesitate unclear doubt doubtful skeptical sceptical busy "
            "complex complicated difficult hard concern expensive pricey overpriced costly issue objection unlikely "
            "missing lack limited stuck stall reluctant uncertain confused confusing problem risk risky worry worried worries "
            "unavailable unfortunately unresponsive cold quiet ghost ghosted silence silent competitor overdue "
            "bug bugs push pushback tight cheaper inconvenient uncomfortable unqualified irrelevant",
            -2: "bad poor unhappy annoyed annoying disappoint disappointed disappointing disappointment frustrate frustrated "
            "frustrating frustration upset complain complaint complaints dislike unsatisfied dissatisfied reject rejection decline "
            "refuse cancel cancelled canceled cancellation lost lose losing fail failed failure fails broken unusable wrong "
            "negative sadly sorry dead stop stopped unacceptable unprofessional rude unreliable churn leave leaving mistake "
            "outage regret dissatisfaction waste wasted layoffs freeze frozen unsubscribe",
            -3: "terrible horrible awful hate worst angry furious useless scam fraud lawsuit disgusted outraged disaster nightmare "
            "garbage lawyer pathetic",
        }
    ),
    endings=("s", "es", "d", "ed", "ing", "ly"),
    silent="e",
    negations=words(
        "not no never none nobody nothing neither nor without cannot cant dont doesnt didnt isnt wasnt arent werent wont "
        "wouldnt couldnt shouldnt hasnt havent hadnt hardly barely lacks"
    ),
    negates_before=False,
    stronger={
        "very": 1.3, "really": 1.3, "extremely": 1.5, "so": 1.2, "absolutely": 1.4, "totally": 1.3, "completely": 1.3,
        "highly": 1.3, "super": 1.3, "incredibly": 1.5, "too": 1.2, "most": 1.2, "quite": 1.1, "especially": 1.2,
        "slightly": 0.6, "somewhat": 0.7, "fairly": 0.9, "rather": 0.9, "bit": 0.7, "little": 0.7, "kinda": 0.7, "partly": 0.7,
    },
    contrasts=words("but however although though yet"),
    common=words(
        "the a an and or of to in is are was were be been it its this that these those he she they we you i my our your their "
        "his her for with on at by from as has have had will would can could should do does did not if when what who which "
        "about after before all more some any just only also then there than so up out them him us me"
    ),
)  # fmt: skip
