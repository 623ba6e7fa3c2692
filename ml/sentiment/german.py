"""German, with the words that salespeople use of those whom they talk to. Umlauts may be written out."""

from ml.sentiment.language import Language, weights, words

GERMAN = Language(
    name="german",
    weights=weights(
        {
            3: "begeistert begeisterung fantastisch hervorragend ausgezeichnet großartig perfekt genial wunderbar liebt super "
            "hellauf traumhaft spitze",
            2: "toll gefällt gefallen gefiel überzeugt überzeugend beeindruckt beeindruckend zufrieden erfreut glücklich "
            "erfolg erfolgreich gewonnen unterschrieben unterzeichnet zugesagt zusage beauftragt empfehlung empfiehlt "
            "empfehlen freut dankbar danke dank beste klasse vielversprechend begeistern wertvoll lob lobt gelobt "
            "genehmigt freigegeben freigabe überzeugen",
            1: "gut interesse interessiert interessant hilfreich nützlich positiv einverstanden bereit offen freundlich nett "
            "budget gern gerne besser schnell einfach klar sinnvoll passt passend vorteil vertrauen vertraut unterstützt "
            "möchte wünscht dringend bedarf fortschritt bestätigt angenehm zuverlässig kompetent möglich willkommen "
            "relevant stimmt läuft gelöst verbessert hoffnung angetan aufgeschlossen",
            -1: "langsam spät verspätet verzögert verzögerung verschoben verschiebt verschieben vertagt zögert zögerlich zögern "
            "unsicher unklar zweifel skeptisch schwierig kompliziert teuer teurer kostspielig problem bedenken einwand "
            "sorge sorgen besorgt fehlt fehlen fehler mangel kritisch kritik leider wettbewerber konkurrenz billiger günstiger "
            "vertröstet überlastet umständlich zurückhaltend risiko abwarten ungünstig eng knapp schade schleppend",
            -2: "schlecht unzufrieden enttäuscht enttäuschung enttäuschend verärgert ärgerlich ärger genervt frustriert beschwert "
            "beschwerde reklamation abgelehnt ablehnung lehnt ablehnen absage abgesagt storniert stornierung gekündigt "
            "kündigung kündigt kündigen verloren gescheitert desinteresse negativ kaputt defekt unbrauchbar falsch "
            "inakzeptabel unprofessionell unfreundlich unzuverlässig abbruch abgebrochen ausfall bereut mies unmöglich "
            "verlust zumutung abgesprungen gestrichen",
            -3: "furchtbar schrecklich katastrophe katastrophal entsetzt wütend empört betrug hasst miserabel frechheit anwalt "
            "unverschämt unverschämtheit nutzlos schlimmste",
        }
    ),
    endings=("e", "en", "er", "es", "em", "n", "s", "t", "te", "ten", "ere", "eren", "erer", "ste", "sten", "ster"),
    silent="",
    negations=words("nicht nichts kein keine keinen keiner keinem keines nie niemals niemand ohne weder kaum nirgends"),
    negates_before=True,
    stronger={
        "sehr": 1.3, "wirklich": 1.3, "extrem": 1.5, "aeusserst": 1.4, "absolut": 1.4, "total": 1.3, "voellig": 1.3,
        "besonders": 1.2, "hoechst": 1.3, "zu": 1.2, "so": 1.2, "ganz": 1.1, "ueberaus": 1.4, "ungemein": 1.4,
        "etwas": 0.7, "leicht": 0.7, "ziemlich": 1.1, "teilweise": 0.7, "bisschen": 0.7, "relativ": 0.8, "eher": 0.8,
        "halbwegs": 0.6,
    },
    contrasts=words("aber jedoch allerdings dennoch trotzdem obwohl doch"),
    common=words(
        "der die das den dem des ein eine einen einem einer eines und oder ist sind war waren wird werden wurde hat haben hatte "
        "er sie es wir ihr ich du man sich mit von für auf im in am an bei zu zum zur aus nach vor über unter nicht auch noch "
        "schon nur dass daß wenn als wie was wer um bis durch seit so sehr mehr kann können soll will muss ihre ihren seine uns "
        "unser mir mich ihm ihn dann da hier"
    ),
)  # fmt: skip
