// Facts of the tasks in the suites of the paper's tables, as mteb-core 2.26.24 describes them; written by
// test/fixtures/eval/make_tasks.py. Characters are those of the judged split, which is all that is embedded (of
// classification also a few training texts); 0 where mteb does not say.
export interface Task {
  name: string
  type: string
  /** On the Hugging Face hub. */
  repo: string
  revision: string
  licence: string
  suites: readonly string[]
  split: string
  subsets: number
  samples: number
  characters: number
}

const table = `AFQMC|STS|C-MTEB/AFQMC|b44c3b011063adb25877c13823db83bb193913c4|not specified|cmn|validation|1|4316|115065
AILAStatutes|Retrieval|mteb/AILA_statutes|ebfcd844eadd3d667efa3c57fc5c8c87f5c2867e|cc-by-4.0|multi|test|1|132|313677
ATEC|STS|C-MTEB/ATEC|0f319b1142f28d00e055a6770f3f726ae9b7d865|not specified|cmn|test|1|20000|536531
AfriSentiClassification|Classification|mteb/AfriSentiClassification|463850b9da81847227ff03f3f80a3310b93cba3c|cc-by-4.0|multi|test|12|18222|1378570
AlloProfClusteringS2S.v2|Clustering|mteb/AlloProfClusteringS2S.v2|c802b993cf2a8dcaeadb6f9cc8ccd364e251feaa|mit|multi|test|1|2556|83909
AlloprofReranking|Reranking|mteb/AlloprofReranking|a7d2d793f2e5ba55139bb10088c2e8ee2df2ce02|cc-by-nc-sa-4.0|multi|test|1|27355|102304295
AmazonCounterfactualClassification|Classification|mteb/amazon_counterfactual|1f7e6a9d6fa6e64c53d146e428565640410c0df1|cc-by-4.0|eng,multi|test|1|3872|361556
AppsRetrieval|Retrieval|CoIR-Retrieval/apps|f22508f96b7a36c2415181ed8bb76f76e04ae2d5|mit|code|test|1|12530|11313530
ArXivHierarchicalClusteringP2P|Clustering|mteb/arxiv-clustering-p2p|0bbdb47bcbe3a90093699aefeed338a0f28a7ee8|cc0-1.0|eng,multi|test|1|2048|2065284
ArXivHierarchicalClusteringS2S|Clustering|mteb/arxiv-clustering-s2s|b73bd54100e5abfa6e3a23dcafb46fe4d2438dc3|cc0-1.0|eng,multi|test|1|2048|150007
ArguAna|Retrieval|mteb/arguana|c22ab2a51041ffd869aaddef7af8d8215647e41a|cc-by-sa-4.0|eng,multi|test|1|10080|10607229
ArmenianParaphrasePC|PairClassification|mteb/ArmenianParaphrasePC|594f25dfef459cbfa30fc1765a6fb2053244f85b|apache-2.0|multi|test|1|1470|354826
AskUbuntuDupQuestions|Reranking|mteb/AskUbuntuDupQuestions|c5691e3c48741d5f83b5cc8e630653d7a8cfc048|cc-by-sa-3.0|eng|test|1|7581|397127
BIOSSES|STS|mteb/biosses-sts|d3fb88f8f02e40887cd149695127462bbcf29b4a|not specified|eng|test|1|100|31313
BQ|STS|C-MTEB/BQ|e3dda5e115e487b39ec7e618c0c6a29137052a55|not specified|cmn|test|1|10000|238712
BUCC.v2|BitextMining|mteb/bucc-bitext-mining|1739dc11ffe9b7bfccd7f3d585aeb4c544fc6677|not specified|multi|test|4|35000|6640032
Banking77Classification|Classification|mteb/banking77|0fd18e25b25c072e09e0d92ab615fda904d66300|mit|eng|test|1|3080|167036
BelebeleRetrieval|Retrieval|mteb/belebele|979a211276faa22f671e69d096634193567cfd05|cc-by-sa-4.0|multi|test|376|521866|114639237
BibleNLPBitextMining|BitextMining|mteb/biblenlp-corpus|94c4293ca75c04b908c6b8e30d15788fe20fb409|cc-by-sa-4.0|multi|train|1656|417452|132355840
BigPatentClustering.v2|Clustering|mteb/big-patent|58a863a958586a5d6ba51088b94ac74a46aa864f|cc-by-4.0|multi|test|1|2048|65738274
BiorxivClusteringP2P.v2|Clustering|mteb/biorxiv-clustering-p2p|f5dbc242e11dd8e24def4c4268607a49e02946dc|https://www.biorxiv.org/content/about-biorxiv|eng,multi|test|1|53787|89499827
BornholmBitextMining|BitextMining|mteb/BornholmBitextMining|5b02048bd75e79275aa91a1fce6cdfd3f4a391cb|cc-by-4.0|multi|test|1|500|44361
BrazilianToxicTweetsClassification|MultilabelClassification|mteb/BrazilianToxicTweetsClassification|d7af1f3c9ff00fbb4e1e40021788a32d78a936bd|cc-by-sa-4.0|multi|test|1|2048|172708
BulgarianStoreReviewSentimentClassfication|Classification|mteb/BulgarianStoreReviewSentimentClassfication|0d00595ed48ba8b802da579231a078557c6e9bc4|cc-by-4.0|multi|test|1|182|57648
CEDRClassification|MultilabelClassification|mteb/CEDRClassification|d872ceae33d049f0ef50e8abb9229b569ebfcf7d|apache-2.0|multi|test|1|1882|171649
CLSClusteringP2P|Clustering|C-MTEB/CLSClusteringP2P|4b6227591c6c1a73bc76b1055f3b7f3588e72476|apache-2.0|cmn|test|1|100000|20629149
CLSClusteringP2P.v2|Clustering|mteb/CLSClusteringP2P.v2|4b012f4818da8625de8e2e90526db1570e7ed2c7|apache-2.0|multi|test|1|2048|435264
CLSClusteringS2S|Clustering|C-MTEB/CLSClusteringS2S|e458b3f5414b62b7f9f83499ac1f5497ae2e869f|apache-2.0|cmn|test|1|100000|1910670
CMedQAv1-reranking|Reranking|mteb/CMedQAv1-reranking|f77f0345c9b6ac0a2447a3a71483d5b27393cb35|not specified|cmn|test|1|101000|10719709
CMedQAv2-reranking|Reranking|mteb/CMedQAv2-reranking|01399b6956a4c6bf9edc5b6b90e176aeeb399686|not specified|cmn|test|1|101000|10110234
COIRCodeSearchNetRetrieval|Retrieval|CoIR-Retrieval/CodeSearchNet|4adc7bc41202b5c13543c9c886a25f340634dab3|mit|code|test|6|1056326|218197874
CQADupstackGamingRetrieval|Retrieval|mteb/cqadupstack-gaming|4885aa143210c98657558c04aaf3dc47cfb54340|apache-2.0|eng|test|1|46896|22263561
CQADupstackUnixRetrieval|Retrieval|mteb/cqadupstack-unix|6c6430d3a6d36f8d2a829195bc5dc94d7e063e53|apache-2.0|eng|test|1|48454|47711332
CSFDSKMovieReviewSentimentClassification|Classification|mteb/CSFDSKMovieReviewSentimentClassification|029e0a726b46539547e872b90d3073a48ce9bc13|cc-by-sa-4.0|multi|test|1|2048|763379
CTKFactsNLI|PairClassification|mteb/CTKFactsNLI|da834e176f18e4a4adc4cbc9ad9720c14168a4bb|cc-by-sa-3.0|multi|validation|1|305|133788
CataloniaTweetClassification|Classification|mteb/CataloniaTweetClassification|a160e486a21cea511a4b23a90e6bd6f7920d3a8f|cc-by-sa-4.0|multi|validation|2|4025|814740
ClimateFEVERHardNegatives|Retrieval|mteb/ClimateFEVER_test_top_250_only_w_correct-v2|3a309e201f3c2c4b13bd4a367a8f37eee2ec1d21|cc-by-sa-4.0|eng|test|1|48416|59218442
CmedqaRetrieval|Retrieval|mteb/CmedqaRetrieval|c476f85bf03d6642ec66bf54b9a551c88108bbb4|not specified|cmn|dev|1|104000|30971236
Cmnli|PairClassification|C-MTEB/CMNLI|41bc36f332156f7adc9e38f53777c959b2ae9766|not specified|cmn|validation|1|8315|426122
CodeEditSearchRetrieval|Retrieval|cassanof/CodeEditSearch|4e51c66e0939303f6928472f13ad0848b2a3f4c0|not specified|code|train|13|26000|8099526
CodeFeedbackMT|Retrieval|CoIR-Retrieval/codefeedback-mt|b0f12fa0c0dd67f59c95a5c33d02aeeb4c398c5f|mit|code|test|1|79660|156198809
CodeFeedbackST|Retrieval|CoIR-Retrieval/codefeedback-st|d213819e87aab9010628da8b73ab4eb337c89340|mit|code|test|1|187832|260800850
CodeSearchNetCCRetrieval|Retrieval|CoIR-Retrieval/CodeSearchNet-ccr|6e1effa2c03723c5fde48ee912b5ee08d4f211e8|mit|code|test|6|1058035|284081702
CodeSearchNetRetrieval|Retrieval|mteb/CodeSearchNetRetrieval|68e8f0731a656fa4bd5b7c81936d95ad48a39bfe|mit|code|test|6|12000|6496327
CodeTransOceanContest|Retrieval|CoIR-Retrieval/codetrans-contest|20da4eb20a4b17300c0986ee148c90867a7f2a4d|apache-2.0|code|test|1|1229|1742073
CodeTransOceanDL|Retrieval|CoIR-Retrieval/codetrans-dl|281562cb8a1265ab5c0824bfa6ddcd9b0a15618f|apache-2.0|code|test|1|996|1543096
Core17InstructionRetrieval|InstructionReranking|mteb/Core17InstructionRetrieval|67d8733dd0691f08f34ed9dda5941578cba8d91c|mit|multi|test|1|19939|44471883
CosQA|Retrieval|CoIR-Retrieval/cosqa|bc5efb7e9d437246ce393ed19d772e08e4a79535|mit|code|test|1|21104|5707846
CovidRetrieval|Retrieval|mteb/CovidRetrieval|9c6dc4b276bb47c3ff725bbc5ffcafd56dded38b|not specified|cmn,multi|dev|1|100950|33266457
CyrillicTurkicLangClassification|Classification|mteb/CyrillicTurkicLangClassification|33fca064726e43e32ce645ed8d8c88c78f16c4d5|cc-by-nc-4.0|multi|test|1|2048|191378
CzechProductReviewSentimentClassification|Classification|mteb/CzechProductReviewSentimentClassification|66bf87809951d5382f930fbbea09e73ce8b3d671|cc-by-nc-sa-4.0|multi|test|1|2048|314089
DBpediaClassification|Classification|mteb/DBpediaClassification|da1478c37d6ac46d5ca45aaf2a156020e2e9bfea|cc-by-sa-3.0|multi|test|1|2048|568368
DalajClassification|Classification|mteb/DalajClassification|2a460943e43451e4c9aed3c0adafc83ccd6e3ee1|cc-by-4.0|multi|test|1|888|107246
DiaBlaBitextMining|BitextMining|mteb/DiaBlaBitextMining|c458e9bf4306d6380604462926a38c34861b4d3b|cc-by-nc-sa-4.0|multi|test|2|11496|1029116
DuRetrieval|Retrieval|mteb/DuRetrieval|313c81b51311893c8fd09ca432f96b841ed0ebb3|apache-2.0|cmn|dev|1|102001|33151102
EcomRetrieval|Retrieval|mteb/EcomRetrieval|fa705ce5418e91636b1eaeaf43f34c15aa3f5a8a|not specified|cmn|dev|1|101902|3334588
EstonianValenceClassification|Classification|mteb/EstonianValenceClassification|41e23c86f6c4685f856887443c13f0da74f46ca4|cc-by-4.0|multi|test|1|818|189374
FEVERHardNegatives|Retrieval|mteb/FEVER_test_top_250_only_w_correct-v2|080c9ed6267b65029207906e815d44a9240bafca|cc-by-nc-sa-3.0|eng|test|1|164698|114050514
FaroeseSTS|STS|mteb/FaroeseSTS|06d4ff0e5366136f3bdce1307b7d220674c45a13|cc-by-4.0|multi|train|1|729|63582
FiQA2018|Retrieval|mteb/fiqa|27a168819829fe9bcd655c2df245fb19452e8e06|not specified|eng|test|1|58286|44261129
FilipinoShopeeReviewsClassification|Classification|mteb/FilipinoShopeeReviewsClassification|c88a93f50ccbb36878cde3362cefd65e43bd6b75|mpl-2.0|multi|validation|1|2048|295480
FinParaSTS|STS|mteb/FinParaSTS|16d3834e2eb7f9faedbae0cf25df4b0962c97e71|cc-by-sa-4.0|multi|validation|1|1000|117633
FinancialPhrasebankClassification|Classification|mteb/FinancialPhrasebankClassification|44023d2ee430a3be2d2ee573801616d9e1392fbd|cc-by-nc-sa-3.0|multi|train|1|2264|276123
FloresBitextMining|BitextMining|mteb/FloresBitextMining|2144d16cc15edd22d4a9237d12bff5f31f5c07fc|cc-by-sa-4.0|multi|devtest|41412|41908944|11221665014
GermanSTSBenchmark|STS|mteb/GermanSTSBenchmark|75829b73cccb64bf86a9f098cbc780d37b786091|cc-by-sa-3.0|multi|validation|1|1500|218610
GreekLegalCodeClassification|Classification|mteb/GreekLegalCodeClassification|be2d1b5af388af523c24b0022786d03713a3b407|cc-by-4.0|multi|validation|1|2048|8347624
GujaratiNewsClassification|Classification|mteb/GujaratiNewsClassification|7f438910e374d37b9136d4ded9888edb3551a494|mit|multi|test|1|1318|81593
HALClusteringS2S.v2|Clustering|mteb/HALClusteringS2S.v2|f1b4d7e7d58992005012c43c9dd2cc7436a1e378|apache-2.0|multi|test|1|2048|177644
HagridRetrieval|Retrieval|mteb/HagridRetrieval|ae4f8bebcb82af2028863b778e1eebf4f5f23628|apache-2.0|multi|dev|1|992|133142
HotpotQAHardNegatives|Retrieval|mteb/HotpotQA_test_top_250_only_w_correct-v2|617612fa63afcb60e3b134bed8b7216a99707c37|cc-by-sa-4.0|eng|test|1|226621|84600866
IFlyTek|Classification|C-MTEB/IFlyTek-classification|421605374b29664c5fc098418fe20ada9bd55f8a|not specified|cmn|validation|1|2599|753272
IN22GenBitextMining|BitextMining|mteb/IN22GenBitextMining|aed6ff7eed647cd6eead02f70efa23a4e67329dc|cc-by-4.0|multi|test|506|518144|162367876
ImdbClassification|Classification|mteb/imdb|3d86128a09e091d6018b6d26cad27f2739fc2db7|not specified|eng|test|1|25000|32344810
IndicCrosslingualSTS|STS|mteb/IndicCrosslingualSTS|f0366eb5a20087355c0e131162bbed943ba54b51|cc0-1.0|multi|test|12|3072|468907
IndicGenBenchFloresBitextMining|BitextMining|mteb/IndicGenBenchFloresBitextMining|07dcc23c08a2540ba37ebe1e487da9dc497cc15c|cc-by-sa-4.0|multi|validation|58|57826|14600950
IndicLangClassification|Classification|mteb/IndicLangClassification|36d9c05b5a4ba276554abc4eaaae87666d1e9c61|cc0-1.0|multi|test|1|30418|3240093
IndonesianIdClickbaitClassification|Classification|mteb/IndonesianIdClickbaitClassification|fa22e2fe229619ae18cd236e23f538abf828f171|cc-by-4.0|multi|train|1|2048|131508
IsiZuluNewsClassification|Classification|mteb/IsiZuluNewsClassification|692de64a824f0620161b6fc0b2c20f84d2b07b6f|cc-by-sa-4.0|multi|train|1|752|32402
ItaCaseholdClassification|Classification|mteb/ItaCaseholdClassification|2ca13897a3d1952b746e748a8584208699c0340e|apache-2.0|multi|test|1|221|929965
JDReview|Classification|C-MTEB/JDReview-classification|b7c64bd89eb87f8ded463478346f76731f07bf8b|not specified|cmn|test|1|533|39063
JSICK|STS|mteb/JSICK|729cfe4a16d3c2b61c6aa9f9f6c8a96bb5512868|cc-by-4.0|multi|test|1|1986|84239
KorHateSpeechMLClassification|MultilabelClassification|mteb/KorHateSpeechMLClassification|47cd2e61b64f2f11ccb006a579cda71318c6de9b|cc-by-sa-4.0|multi|test|1|2037|70625
KorSarcasmClassification|Classification|mteb/KorSarcasmClassification|6701f384372c04aa8c64b10582e72eb84135a1d4|mit|multi|train|1|2048|99234
KurdishSentimentClassification|Classification|mteb/KurdishSentimentClassification|154ca47b902abfd9a9340e03c09f630bf2ce657f|cc-by-4.0|multi|test|1|1987|111504
LCQMC|STS|C-MTEB/LCQMC|17f9b096f80380fce5ed12a9be8be7784b337daf|not specified|cmn|test|1|12500|242932
LEMBPasskeyRetrieval|Retrieval|mteb/LEMBPasskeyRetrieval|86ac5a6437198a94ecd666440c78b3e78f258274|not specified|multi|test_256|1|150|89429
LegalBenchCorporateLobbying|Retrieval|mteb/legalbench_corporate_lobbying|f69691c650464e62546d7f2a4536f8f87c891e38|cc-by-4.0|multi|test|1|659|429630
MIRACLRetrievalHardNegatives|Retrieval|mteb/MIRACLRetrievalHardNegatives|d7d94fa4b946cec4a27c84653aa0cf6b33f74a3c|cc-by-sa-4.0|multi|dev|18|2460458|1025886832
MLQARetrieval|Retrieval|mteb/MLQARetrieval|5bef8b6e2601af974fb1a1cca03fd702229be4b6|cc-by-sa-3.0|multi|validation|49|3610|499072
MMarcoReranking|Reranking|mteb/MMarcoReranking|91c0f9d5cbd4cdc7ecd7039c5c2e57740cb62b00|not specified|cmn|dev|1|100126|12381113
MMarcoRetrieval|Retrieval|mteb/MMarcoRetrieval|4940a7b26bf53463cfe3435bb8e201963e9c31ae|not specified|cmn|dev|1|113793|12294572
MTOPDomainClassification|Classification|mteb/MTOPDomainClassification|a76d16fae880597b9c73047b50159220a441cb54|not specified|eng|test|1|19680|781580
MacedonianTweetSentimentClassification|Classification|mteb/MacedonianTweetSentimentClassification|6ec78a685dad2e2b37af77264676e9dddfa7dc8e|cc-by-nc-sa-3.0|multi|test|1|1139|77028
MalteseNewsClassification|MultilabelClassification|mteb/MalteseNewsClassification|dd971b06303e3c3285a45a03afb5fb067b7bfced|cc-by-nc-sa-4.0|multi|test|1|2297|4024570
MasakhaNEWSClassification|Classification|mteb/masakhanews|18193f187b92da67168c655c9973a165ed9593dd|cc-by-nc-4.0|multi|test|16|6242|16946423
MasakhaNEWSClusteringS2S|Clustering|mteb/MasakhaNEWSClusteringS2S|5dddcb139010208a28c3dcc2568560061c210097|afl-3.0|multi|test|16|6242|411146
MassiveIntentClassification|Classification|mteb/amazon_massive_intent|4672e20407010da34463acc759c162ca9734bca6|apache-2.0|eng,multi|test|1|151674|5230011
MassiveScenarioClassification|Classification|mteb/amazon_massive_scenario|fad2c6e8459f9e1c45d9315f4953d921437d70f8|apache-2.0|eng|test|1|151674|5230011
MedicalRetrieval|Retrieval|mteb/MedicalRetrieval|023ae3b2c6b96f583c4ff9b3f9239c93f7885c20|not specified|cmn|dev|1|101999|12344090
MedrxivClusteringP2P.v2|Clustering|mteb/medrxiv-clustering-p2p|e7a26af6f3ae46b30dde8737f02c07b1505bcc73|https://www.medrxiv.org/content/about-medrxiv|eng,multi|test|1|37500|74294927
MedrxivClusteringS2S.v2|Clustering|mteb/medrxiv-clustering-s2s|35191c8c0dca72d8ff3efcd72aa802307d469663|https://www.medrxiv.org/content/about-medrxiv|eng|test|1|37500|4301276
MindSmallReranking|Reranking|mteb/MindSmallReranking|227478e3235572039f4f7661840e059f31ef6eb1|https://github.com/msnews/MIND/blob/master/MSR%20License_Data.pdf|eng|test|1|2367791|162620316
MultiEURLEXMultilabelClassification|MultilabelClassification|mteb/eurlex-multilingual|2aea5a6dc8fdcfeca41d0fb963c0a338930bde5c|cc-by-sa-4.0|multi|test|23|115000|1381657027
MultiHateClassification|Classification|mteb/multi-hatecheck|8f95949846bb9e33c6aaf730ccfdb8fe6bcfb7a9|cc-by-4.0|multi|test|11|11000|502013
MultiLongDocRetrieval|Retrieval|mteb/MultiLongDocRetrieval|837028901907a7d419b4ab906f28e011ce1cc824|mit|mldr|dev|13|496309|6641936071
MultilingualSentiment|Classification|C-MTEB/MultilingualSentiment-classification|46958b007a63fdbf239b7672c25d0bea67b5ea1a|mit|cmn|validation|1|3000|153027
NTREXBitextMining|BitextMining|mteb/NTREXBitextMining|66b8b27efc99658903127730575e9fa0cb9f075c|cc-by-sa-4.0|multi|test|1916|3826252|988355274
NepaliNewsClassification|Classification|mteb/NepaliNewsClassification|517059b8db27c65544a855d90b3e30e5a9853fc3|cc-by-sa-4.0|multi|train|1|2048|402747
News21InstructionRetrieval|InstructionReranking|mteb/News21InstructionRetrieval|c6fffeb9cdd95c1ffa81c62c687b48b56352872b|mit|multi|test|1|30985|72746368
NollySentiBitextMining|BitextMining|mteb/NollySentiBitextMining|77d807ea44797c4663a3e0aca353d630c62d85cf|cc-by-sa-4.0|multi|train|4|1640|445805
NordicLangClassification|Classification|mteb/NordicLangClassification|425d7e9de276902b73d5359ecd4811f3b80cc7c0|cc-by-sa-3.0|multi|test|1|3000|234686
NorwegianCourtsBitextMining|BitextMining|mteb/NorwegianCourtsBitextMining|ddf68e49e8d393964288ad5b498f1d61cca7b23f|cc-by-4.0|multi|test|1|228|37441
NusaParagraphEmotionClassification|Classification|mteb/NusaParagraphEmotionClassification|5d4381326f7df57557c5a63032efba4a9a9b537a|apache-2.0|multi|test|10|5700|4194411
NusaTranslationBitextMining|BitextMining|mteb/NusaTranslationBitextMining|d08eca02c75a0b2ea9bfaaed1e42b7679588fa59|cc-by-sa-4.0|multi|train|11|50200|14759870
NusaX-senti|Classification|mteb/NusaX-senti|7b2ff4facde8a6473f667a38edef1d03ce9ca0dc|cc-by-sa-4.0|multi|test|12|4800|739028
NusaXBitextMining|BitextMining|mteb/NusaXBitextMining|6db681bd37d6827f8d132590429ce33a2af4c96e|cc-by-sa-4.0|multi|train|11|5500|1728596
Ocnli|PairClassification|C-MTEB/OCNLI|66e76a618a34d6d565d5538088562851e6daa7ec|not specified|cmn|validation|1|1847|66809
OdiaNewsClassification|Classification|mteb/OdiaNewsClassification|066005f6178254a40a22c24b98c8bd40a073c0ac|mit|multi|test|1|2048|101081
OnlineShopping|Classification|C-MTEB/OnlineShopping-classification|e610f2ebd179a8fda30ae534c3878750a96db120|not specified|cmn|test|1|1000|56543
OpusparcusPC|PairClassification|mteb/OpusparcusPC|e95831b0fa902edc955f3b60e3e63b349bb7bd02|cc-by-nc-4.0|multi|test.full|6|9155|436535
PAC|Classification|mteb/PAC|d09e1c9f0f04f7f52f5cbfb74fa6c793c4eb84da|cc-by-nc-sa-4.0|multi|test|1|3453|639765
PAWSX|STS|mteb/PAWSX|bd129d4230ee0551b5469c566bced8da75abae0a|not specified|cmn|test|1|2000|173050
PawsXPairClassification|PairClassification|mteb/PawsXPairClassification|558da352e7dba3ed3229fc4922aef2ebaff0a90b|https://huggingface.co/datasets/google-research-datasets/paws-x#licensing-information|multi|test|7|14000|2551922
PlscClusteringP2P.v2|Clustering|mteb/PlscClusteringP2P.v2|82128bcad8e4713bcaf0449ed7e02109aa00ca0c|cc0-1.0|multi|test|1|2048|2104256
PoemSentimentClassification|Classification|mteb/PoemSentimentClassification|84af4753ebb04ca836fb54ce89a339839b03b748|cc-by-4.0|multi|validation|1|105|4096
PolEmo2.0-OUT|Classification|mteb/PolEmo2.0-OUT|4cdfe32a4a7b964afb7aaf9430b9ce6804f7d7e9|cc-by-sa-4.0|multi|test|1|494|289999
PpcPC|PairClassification|mteb/PpcPC|e7f83d7d05792c2c57c8708a102e4ea785b9c301|gpl-3.0|multi|test|1|1000|84963
PunjabiNewsClassification|Classification|mteb/PunjabiNewsClassification|b76bb74317e828d00e474779c8c706eac8af231b|mit|multi|test|1|157|646077
QBQTC|STS|C-MTEB/QBQTC|790b0510dc52b1553e8c49f3d2afb48c0e5c48b7|not specified|cmn|test|1|5000|174698
RTE3|PairClassification|mteb/RTE3|54ea0052267265f4906dd77b0a3d041d301a5ee6|cc-by-4.0|multi|test|4|1923|479937
Robust04InstructionRetrieval|InstructionReranking|mteb/Robust04InstructionRetrieval|0495a5cb69aa8fa5bca81bd56ac248911c19eeb6|mit|multi|test|1|47596|109165981
RomaniBibleClustering|Clustering|mteb/RomaniBibleClustering|53db5afec1fe573b334cb6f1c8ee64a0849b3ce5|mit|multi|test|1|2048|269848
RuBQReranking|Reranking|mteb/RuBQReranking|e8233e2234f8b24ab47f203b69d1161c3c0bc5a1|cc-by-sa-4.0|multi|test|1|38998|17185747
SCIDOCS|Retrieval|mteb/scidocs|f8c2fcf00f625baaa80f62ec5bd9e1fff3b8ae88|cc-by-sa-4.0|eng,multi|test|1|26657|30971706
SIB200ClusteringS2S|Clustering|mteb/sib200|a74d7350ea12af010cfb1c21e34f1f81fd2e615b|cc-by-sa-4.0|multi|test|197|197788|26633239
SICK-R|STS|mteb/sickr-sts|20a6d6f312dd54037fe07a32d58e5e168867909d|cc-by-nc-sa-3.0|eng,multi|test|1|9927|915617
STS12|STS|mteb/sts12-sts|a0d554a64d88156834ff5ae9920b964011b16384|not specified|eng,multi|test|1|3108|402118
STS13|STS|mteb/sts13-sts|7e90230a92c190f1bf69ae9002b8cea547a64cca|not specified|eng,multi|test|1|1500|161949
STS14|STS|mteb/sts14-sts|6031580fec1f6af667f0bd2da0a551cf4f0b2375|not specified|eng,multi|test|1|3750|407185
STS15|STS|mteb/sts15-sts|ae752c7c21bf194d8b67fd573edf7ae58183cbe3|not specified|eng,multi|test|1|3000|346442
STS17|STS|mteb/sts17-crosslingual-sts|faeb762787bd10488a50c8b5be4a3b82e411949c|not specified|eng,multi|test|1|5346|400264
STS22.v2|STS|mteb/sts22-crosslingual-sts|d31f33a128469b20e357535c39b82fb3c3f6f2bd|not specified|eng,multi|test|1|3958|15936443
STSB|STS|mteb/STSB|e036defee8f190911de6fc825a944b928c8cda53|not specified|cmn,multi|test|1|1361|51020
STSBenchmark|STS|mteb/stsbenchmark-sts|b0fddb56ed78048fa8b90373c8a3cfc37b684831|not specified|eng,multi|test|1|1379|147886
STSES|STS|mteb/STSES|fe7158e70012087b5a692ce175226a0d213936ad|cc-by-4.0|multi|test|1|155|58718
ScalaClassification|Classification|mteb/multilingual-scala-classification|ec85bb6c69679ed15ac66c0bf6e180bf563eb137|cc-by-sa-4.0|multi|test|4|8192|839257
SemRel24STS|STS|mteb/SemRel24STS|f5146bf724c55899ca20502851dc98c5405b67f9|not specified|multi|test|12|7498|1094064
SentimentAnalysisHindi|Classification|mteb/SentimentAnalysisHindi|feab4a1cfc55f4b799f4ed902d8967e2ab68425c|cc-by-nc-sa-4.0|multi|train|1|2048|166918
SinhalaNewsClassification|Classification|mteb/SinhalaNewsClassification|a86de19f6b79cf464f2bb5ca71d89cdbf41eeb9f|mit|multi|train|1|2048|306830
SiswatiNewsClassification|Classification|mteb/SiswatiNewsClassification|a93a678f0b4e3acb63eb2d46e0a1667a0800c54b|cc-by-sa-4.0|multi|train|1|80|28336
SlovakMovieReviewSentimentClassification|Classification|mteb/SlovakMovieReviewSentimentClassification|7d408f245f0d3df0eaaca08f89ab6a1936ada6f5|cc-by-nc-sa-4.0|multi|test|1|2048|740805
SpartQA|Retrieval|mteb/SpartQA|1c858df377e57725a014a1b7321ebd79d62016b6|mit|multi|test|1|5186|2437778
SprintDuplicateQuestions|PairClassification|mteb/sprintduplicatequestions-pairclassification|d66bd1f72af766a5cc4b0ca5e00c162f89e8cc46|not specified|eng,multi|test|1|101000|12292709
StackExchangeClustering.v2|Clustering|mteb/stackexchange-clustering|6cbc1f7b2bc0622f2e39d2c77fa502909748c259|not specified|eng,multi|test|1|2048|117782
StackExchangeClusteringP2P.v2|Clustering|mteb/stackexchange-clustering-p2p|815ca46b2622cec33ccafc3735d572c266efdb44|not specified|eng|test|1|74914|81735679
StackOverflowQA|Retrieval|mteb/StackOverflowQA|7b46f5ebd2365278c1bb025986dda2fee893bbf5|mit|code,multi|test|1|21925|26564097
StatcanDialogueDatasetRetrieval|Retrieval|mteb/StatcanDialogueDatasetRetrieval|6f9747b22a93c6cf714945bca43576089fb80de3|https://huggingface.co/datasets/McGill-NLP/statcan-dialogue-dataset-retrieval/blob/main/LICENSE.md|multi|dev|2|12479|80821803
SummEvalSummarization.v2|Summarization|mteb/summeval|cda12ad7615edc362dbf25a00fdd61d3b1eaf93c|mit|eng|test|1|100|1007527
SwahiliNewsClassification|Classification|mteb/SwahiliNewsClassification|e9b91a8bc13eb2797ef476d72feda71581d0a4fe|cc-by-nc-sa-4.0|multi|train|1|2048|4938689
SwednClusteringP2P|Clustering|mteb/SwednClusteringP2P|f8dbf10ec231cc25e9f63454d5cd2d90af95e5f8|cc-by-4.0|multi|summaries|1|34376|7541052
SwissJudgementClassification|Classification|mteb/SwissJudgementClassification|2541705ce837c495e85aa3c44b41a92fa4bd12a8|cc-by-4.0|multi|test|3|4908|17205689
SyntheticText2SQL|Retrieval|CoIR-Retrieval/synthetic-text2sql|686b87296c3a0191b5d9415a00526c62db9fce09|mit|code|test|1|111702|13935566
T2Reranking|Reranking|mteb/T2Reranking|a34fe6bc0dff185af1228e49a0f6fb1de1565627|not specified|cmn,multi|dev|1|103330|81980036
T2Retrieval|Retrieval|mteb/T2Retrieval|cf778c0ea4168ec5174a34d888d6453e4cde9222|apache-2.0|cmn|dev|1|141417|103924352
TERRa|PairClassification|mteb/TERRa|48312c334eb916d88481dc4a41bd0d8b2fa0d576|mit|multi|dev|1|307|84848
TNews|Classification|C-MTEB/TNews-classification|317f262bf1e6126357bbe89e875451e4b0938fe4|not specified|cmn|validation|1|10000|222089
TRECCOVID|Retrieval|mteb/trec-covid|bb9466bac8153a0349341eb1b22e06409e78ef4e|not specified|eng,multi|test|1|171382|191466532
Tatoeba|BitextMining|mteb/tatoeba-bitext-mining|69e8f12da6e31d59addadda9a9c8a2e601a0e282|cc-by-2.0|multi|test|112|88877|5716305
TempReasonL1|Retrieval|mteb/TempReasonL1|2065ce0bde70750ed98bb91abd96d0d68ab94324|cc-by-sa-3.0|multi|test|1|16504|313304
ThuNewsClusteringP2P|Clustering|C-MTEB/ThuNewsClusteringP2P|5798586b105c0434e4f0fe5e767abe619442cf93|not specified|cmn|test|1|100000|11049190
ThuNewsClusteringS2S|Clustering|C-MTEB/ThuNewsClusteringS2S|8a8b2caeda43f39e13c4bc5bea0f8a667896e10d|not specified|cmn|test|1|100000|1945917
Touche2020Retrieval.v3|Retrieval|mteb/webis-touche2020-v3|431886eaecc48f067a3975b70d0949ea2862463c|cc-by-sa-4.0|eng|test|1|303781|636740108
ToxicConversationsClassification|Classification|mteb/toxic_conversations_50k|edfaf9da55d3dd50d43143d90c1ac476895ae6de|cc-by-4.0|eng,multi|test|1|2048|591942
TswanaNewsClassification|Classification|mteb/TswanaNewsClassification|57b79978c2a361b5b8161569d1470b30e5dda867|cc-by-sa-4.0|multi|test|1|487|1153959
TweetSentimentExtractionClassification|Classification|mteb/tweet_sentiment_extraction|d604517c81ca91fe16a244d1248fc021f9ecee7a|not specified|eng|test|1|3534|239476
TweetTopicSingleClassification|Classification|mteb/TweetTopicSingleClassification|b4280e921a2760ce34d2dd80a9e5dc8bcbf61785|not specified|multi|test_2021|1|1693|283844
TwentyNewsgroupsClustering.v2|Clustering|mteb/twentynewsgroups-clustering|6125ec4e24fa026cec8a478383ee943acfbd5449|not specified|eng|test|1|59545|1907719
TwitterHjerneRetrieval|Retrieval|mteb/TwitterHjerneRetrieval|97ad55673cf9746f8e4b3aaa92b1bb92d82e52db|cc-by-4.0|multi|train|1|340|46716
TwitterSemEval2015|PairClassification|mteb/twittersemeval2015-pairclassification|70970daeab8776df92f5ea462b6173c0b46fd2d1|not specified|eng|test|1|16777|1424986
TwitterURLCorpus|PairClassification|mteb/twitterurlcorpus-pairclassification|8b6510b0b1fa4e4c4f879467980e9be563ec1cdf|not specified|eng,multi|test|1|51534|8659940
VideoRetrieval|Retrieval|mteb/VideoRetrieval|146a9d5e4fd7a9c182b6b92cccb6a3753994305c|not specified|cmn|dev|1|101930|3141126
VoyageMMarcoReranking|Reranking|mteb/VoyageMMarcoReranking|bd2050c52b480e48c51372b4ec98a1cbbc4515f2|cc-by-4.0|multi|test|1|55423|8824692
Waimai|Classification|C-MTEB/waimai-classification|339287def212450dcaa9df8c22bf93e9980c7023|not specified|cmn|test|1|1000|25155
WebLINXCandidatesReranking|Reranking|mteb/WebLINXCandidatesReranking|107fdc2402d2c4bfb2a720dfcfe1f6ff9d21151b|cc-by-nc-sa-4.0|multi|validation|1|317809|102745529
WikiCitiesClustering|Clustering|mteb/WikiCitiesClustering|9f302fc86ddf2d9133ebcc03ee3a285f4729bb16|cc-by-sa-4.0|multi|test|1|3531|32701226
WikiClusteringP2P.v2|Clustering|mteb/WikiClusteringP2P.v2|596293afadbf41fd03571343f9f3d2b869b4f2e3|cc-by-sa-3.0|multi|test|14|28672|18055981
WikipediaRerankingMultilingual|Reranking|mteb/WikipediaRerankingMultilingual|803771c366038ed587b21e3d8fe25f8f73134fad|cc-by-sa-3.0|multi|test|16|240000|83866932
WikipediaRetrievalMultilingual|Retrieval|mteb/WikipediaRetrievalMultilingual|5f6c91d21f2f5b9afb663858d19848fbd223c775|cc-by-sa-3.0|multi|test|16|240000|83866932
WinoGrande|Retrieval|mteb/WinoGrande|4dec9c5666e9f84702ac614363db6d96a68bc6de|not specified|multi|test|1|6362|180770
XNLI|PairClassification|mteb/xnli|09698e0180d87dc247ca447d3a1248b931ac0cdb|not specified|multi|test|14|19110|2907145
indonli|PairClassification|mteb/indonli|cb76e5ca05b56d4f1e0ecaee4d03c1167f162ea6|cc-by-sa-4.0|multi|test_expert|1|2040|595178
`

export const tasks: readonly Task[] = table
  .trim()
  .split('\n')
  .map((line) => {
    const [name, type, repo, revision, licence, suites, split, ...counts] = line.split('|') as [
      string,
      string,
      string,
      string,
      string,
      string,
      string,
      ...string[],
    ]
    const [subsets, samples, characters] = counts.map(Number) as [number, number, number]
    return {
      name,
      type,
      repo,
      revision,
      licence,
      suites: suites.split(','),
      split,
      subsets,
      samples,
      characters,
    }
  })
